"""Calls of a model's parts: what fails is named with the part and the examples, what comes back is checked.

A wrong result would show later, in a part that has nothing to do with it. Checked is what the host knows
without asking a device: types, shapes, dtypes and lengths, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.engine.batching import Indexed
from seqlab.engine.sequences import Sequences
from seqlab.engine.state import State
from seqlab.engine.states import States
from seqlab.errors import ContractError
from seqlab.suggest import shortened, shown

if TYPE_CHECKING:
    from seqlab.engine.model import HeadModule

__all__ = [
    "BareParts",
    "Calls",
    "Decode",
    "HeadCalls",
    "Names",
    "Parts",
    "backward",
    "encoded",
    "featurized",
    "lengths_of",
]

MOST_LENGTHS = 8
"""Lengths that a message lists."""

Decode: TypeAlias = Callable[[Any, Sequence[int]], Sequence[Any]]
"""Makes answers of what a head's module answers to a batch: one for each of these examples of the data."""

Names: TypeAlias = Callable[[], Iterable[str]]
"""Returns what the examples of a call are called; asked only where one fails."""


class Parts(Protocol):
    """Who answers for the parts of a model, each named by its path: `featurizers.0`, `encoder`, `heads.1`."""

    def title(self, path: str) -> str:
        """Return what messages call the part, or whatever has a parameter of this path."""
        ...

    def fault(self, path: str, method: str, error: BaseException, names: Iterable[str]) -> BaseException:
        """Return what to raise where a call failed: the error itself, or one that says more.

        The path is empty where the model as a whole was called, as in its backward pass.
        """
        ...


class BareParts:
    """Parts that nobody else answers for: errors stay what they are, with a note of part and examples."""

    def title(self, path: str) -> str:
        """Return the path."""
        return path

    def fault(self, path: str, method: str, error: BaseException, names: Iterable[str]) -> BaseException:
        """Note where the error comes from."""
        where = (error.at if isinstance(error, ContractError) else "") or shortened(names)
        error.add_note(f"{path or 'model'}: {method}" + (f"; at {where}" if where else ""))
        return error


@dataclass(frozen=True)
class Calls:
    """Calls for one batch: `with calls("encoder", "forward"): ...`."""

    parts: Parts
    names: Names = tuple

    def __call__(self, path: str, method: str) -> Call:
        """Return the block of one call."""
        return Call(self, path, method)


class Call:
    """The block of one call, which costs next to nothing where nothing fails."""

    __slots__ = ("calls", "method", "path")

    def __init__(self, calls: Calls, path: str, method: str) -> None:
        self.calls = calls
        self.path = path
        self.method = method

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception | SystemExit):
            found = self.calls.parts.fault(self.path, self.method, error, self.calls.names())
            if found is not error:
                raise found from error


def featurized(featurizer: nn.Module, column: Sequences | Indexed) -> Sequences:
    """Return the features that a featurizer makes of its column; ContractError where they are none."""
    found: Sequences = featurizer(column)
    _check_sequences(found, "returned")
    _check_rows(found, "returned rows", getattr(featurizer, "output_size", None))
    if found.layout is not column.layout and not torch.equal(found.lengths, column.layout.lengths):
        raise ContractError(f"returned features of {_many(found)}; the column is of {_many(column)}")
    return found


def encoded(
    encoder: Any, inputs: Sequences, state: State | None, calls: Calls, path: str
) -> tuple[States, State | None]:
    """Return the states that the encoder of this path makes, and what it carries.

    ContractError where they are none; their summary is made, and checked, when a head asks for it.
    """
    with calls(path, "forward"):
        states, after = _states(encoder(inputs, state), encoder, inputs)
    return States.of(encoder, states, inputs, lambda: calls(path, "final")), after


def _states(found: Any, encoder: Any, inputs: Sequences) -> tuple[Sequences, State | None]:
    """Return what an encoder made of its inputs, where that is states and what it carries."""
    if not (isinstance(found, tuple) and len(found) == 2):
        raise ContractError(f"returned {shown(found)} where a pair of Sequences and a state is expected")
    states, after = found
    _check_sequences(states, "returned states that are")
    _check_rows(states, "returned states", getattr(encoder, "output_size", None))
    dtype = inputs.distinct.dtype
    if states.distinct.dtype == torch.float64 != dtype:
        raise ContractError(f"returned states of torch.float64 for inputs of {dtype}")
    promises = getattr(encoder, "output_lengths", None)
    promised = promises(inputs.lengths) if promises else inputs.lengths
    if promised is not states.lengths and not torch.equal(promised, states.lengths):
        said = "output_lengths says" if promises else "without output_lengths they must be"
        raise ContractError(f"returned states of {_many(states)}, but {said} {_listed(promised)}")
    if not (after is None or (isinstance(after, tuple) and all(_is_carried(part, inputs) for part in after))):
        wanted = f"a tuple of tensors with {len(inputs)} rows each, or None,"
        raise ContractError(f"returned the state {shown(after)} where {wanted} is expected")
    return states, after


def lengths_of(encoder: Any, lengths: Tensor) -> Tensor:
    """Return what the encoder's `output_lengths` makes of lengths, by default the same.

    ContractError where it returns none.
    """
    found: Tensor = encoder.output_lengths(lengths) if hasattr(encoder, "output_lengths") else lengths
    if found is lengths:
        return found
    if not isinstance(found, Tensor) or found.dtype != torch.int64 or found.shape != lengths.shape:
        raise ContractError(f"returned {shown(found)} where {shown(lengths)} is expected")
    if found.numel() and int(found.min()) < 0:
        raise ContractError(f"returned {int(found.min())} for a sequence")
    return found.cpu()


def backward(loss: Tensor, calls: Calls) -> None:
    """Compute the gradients of a batch's loss."""
    with calls("", "backward"):
        loss.backward()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class HeadCalls:
    """A head's module as it is called for one batch."""

    module: HeadModule
    path: str
    calls: Calls

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return by how much the batch's summed loss is to be divided."""
        with self.calls(self.path, "count"):
            return _scalar(self.module.count(target, lengths))

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed loss of the batch."""
        with self.calls(self.path, "loss"):
            found = _scalar(self.module.loss(states, target))
            if not found.is_floating_point():
                raise ContractError(f"returned {shown(found)} where a loss in fp32 is expected")
            return found

    def answer(
        self, states: Sequences, target: Sequences | None, decode: Decode, indices: Sequence[int]
    ) -> Sequence[Any]:
        """Return what `decode` makes of the module's answer: one for each of the examples at `indices`."""
        knowing = getattr(self.module, "answer_given", None) if target is not None else None
        with self.calls(self.path, "answer_given" if knowing else "answer"):
            outputs = knowing(states, target) if knowing else self.module.answer(states)
        with self.calls(self.path, "answers"):
            return decode(outputs, indices)


def _scalar(found: Any) -> Tensor:
    if not isinstance(found, Tensor) or found.dim():
        raise ContractError(f"returned {shown(found)} where a scalar tensor is expected")
    return found


def _check_sequences(found: Any, returned: str) -> None:
    if not isinstance(found, Sequences):
        raise ContractError(f"{returned} {shown(found)} where Sequences are expected")


def _check_rows(found: Sequences, returned: str, size: object) -> None:
    """Refuse rows of another size than the one that was promised, where one was."""
    rows = found.distinct
    if rows.dim() != 2 or (size is not None and rows.shape[1] != size):
        wanted = f"(rows, {size if size is not None else 'size'})"
        raise ContractError(f"{returned} of shape {_shape(rows)} where {wanted} is expected (output_size)")
    if not rows.is_floating_point():
        raise ContractError(f"{returned} of {rows.dtype}; floating-point numbers are expected")


def _is_carried(part: object, inputs: Sequences) -> bool:
    return isinstance(part, Tensor) and part.dim() > 0 and len(part) == len(inputs)


def _many(column: Sequences | Indexed) -> str:
    return f"sequences of lengths {_listed(column.layout.lengths)}"


def _listed(lengths: Tensor) -> str:
    first = ", ".join(map(str, lengths[:MOST_LENGTHS].tolist()))
    return f"{first}, ..." if len(lengths) > MOST_LENGTHS else first


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
