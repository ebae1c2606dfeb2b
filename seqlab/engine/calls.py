"""Calls of a model's parts: what fails is named with the part and the examples, what comes back is checked.

A wrong result would show later, in a part that has nothing to do with it. Checked is what the host knows
without asking a device: types, shapes, dtypes and lengths, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.engine.batching import Indexed
from seqlab.engine.sequences import Sequences
from seqlab.engine.state import State
from seqlab.errors import ContractError
from seqlab.suggest import shortened, shown

if TYPE_CHECKING:
    from seqlab.engine.model import HeadModule

__all__ = [
    "BareParts",
    "Calls",
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
        where = shortened(names)
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


def encoded(encoder: Any, inputs: Sequences, state: State | None) -> tuple[Sequences, State | None]:
    """Return the states that an encoder makes, and what it carries; ContractError where they are none."""
    found = encoder(inputs, state)
    if not (isinstance(found, tuple) and len(found) == 2):
        raise ContractError(f"returned {shown(found)} where a pair of Sequences and a state is expected")
    states, after = found
    _check_sequences(states, "returned states that are")
    _check_rows(states, "returned states", getattr(encoder, "output_size", None))
    dtype = inputs.distinct.dtype
    if states.distinct.dtype == torch.float64 != dtype:
        raise ContractError(f"returned states of torch.float64 for inputs of {dtype}")
    if hasattr(encoder, "output_lengths"):
        promised = encoder.output_lengths(inputs.lengths)
        if promised is not states.lengths and not torch.equal(promised, states.lengths):
            said = f"output_lengths says {_listed(promised)}"
            raise ContractError(f"returned states of {_many(states)}, but {said}")
    if not (after is None or (isinstance(after, tuple) and all(_is_carried(part, inputs) for part in after))):
        wanted = f"a tuple of tensors with {len(inputs)} rows each, or None,"
        raise ContractError(f"returned the state {shown(after)} where {wanted} is expected")
    return states, after


def lengths_of(encoder: Any, lengths: Tensor) -> Tensor:
    """Return what the encoder's `output_lengths` makes of lengths; ContractError where it is none."""
    found: Tensor = encoder.output_lengths(lengths)
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

    def count(self, target: Sequences) -> Tensor:
        """Return by how much the batch's summed loss is to be divided."""
        with self.calls(self.path, "count"):
            return _scalar(self.module.count(target))

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed loss of the batch."""
        with self.calls(self.path, "loss"):
            found = _scalar(self.module.loss(states, target))
            if not found.is_floating_point():
                raise ContractError(f"returned {shown(found)} where a loss in fp32 is expected")
            return found

    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        """Return the chosen ids and the probability of each."""
        with self.calls(self.path, "predict"):
            found = self.module.predict(states)
            if not (isinstance(found, tuple) and len(found) == 2):
                raise ContractError(f"returned {shown(found)} where ids and probabilities are expected")
            ids, sure = found
            _check_ids(ids, states)
            _check_beside(ids, sure, "probabilities", states)
            return ids, sure

    def predict_aligned(self, states: Sequences) -> tuple[Sequences, Sequences, Sequences | None]:
        """Return what `predict` does, and the state that each id was read from, where the head knows it."""
        aligned: Callable[[Sequences], Any] | None = getattr(self.module, "predict_aligned", None)
        if aligned is None:
            return *self.predict(states), None
        with self.calls(self.path, "predict_aligned"):
            found = aligned(states)
            if not (isinstance(found, tuple) and len(found) == 3):
                wanted = "ids, probabilities and states' numbers"
                raise ContractError(f"returned {shown(found)} where {wanted} are expected")
            ids, sure, read = found
            _check_ids(ids, states)
            _check_beside(ids, sure, "probabilities", states)
            _check_beside(ids, read, "states' numbers", states)
            return ids, sure, read

    def fitting(self, states: Sequences, target: Sequences) -> Sequences:
        """Leave out targets that cost nothing because there are too few states for them."""
        fits: Callable[[Tensor, Sequences], Tensor] | None = getattr(self.module, "fits", None)
        if fits is None:
            return target
        with self.calls(self.path, "fits"):
            found = fits(states.lengths, target)
            if not isinstance(found, Tensor) or found.dtype != torch.bool or found.shape != (len(target),):
                wanted = f"a tensor of torch.bool and shape ({len(target)})"
                raise ContractError(f"returned {shown(found)} where {wanted} is expected")
            return target.select(found.nonzero().flatten().cpu())


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


def _check_ids(ids: Any, states: Sequences) -> None:
    _check_answers(ids, "ids", states)
    if ids.data.is_floating_point():
        raise ContractError(f"returned ids of {ids.data.dtype}; integers are expected")


def _check_beside(ids: Sequences, found: Any, name: str, states: Sequences) -> None:
    _check_answers(found, name, states)
    if not torch.equal(ids.lengths, found.lengths):
        raise ContractError(f"returned ids of {_many(ids)}, but {name} of {_many(found)}")


def _check_answers(found: Any, name: str, states: Sequences) -> None:
    if not isinstance(found, Sequences):
        raise ContractError(f"returned as {name} {shown(found)} where Sequences are expected")
    if found.data.dim() != 1 or len(found) != len(states):
        wanted = f"for {len(states)} sequences and of shape (rows)"
        raise ContractError(
            f"returned {name} for {len(found)} sequences and of shape {_shape(found.data)}, not {wanted}"
        )


def _is_carried(part: object, inputs: Sequences) -> bool:
    return isinstance(part, Tensor) and part.dim() > 0 and len(part) == len(inputs)


def _many(column: Sequences | Indexed) -> str:
    return f"sequences of lengths {_listed(column.layout.lengths)}"


def _listed(lengths: Tensor) -> str:
    first = ", ".join(map(str, lengths[:MOST_LENGTHS].tolist()))
    return f"{first}, ..." if len(lengths) > MOST_LENGTHS else first


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
