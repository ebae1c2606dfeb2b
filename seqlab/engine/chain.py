"""Encoders one after the other, as one encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, cast

from torch import Tensor, nn

from seqlab.engine.calls import BareParts, Calls, encoded, lengths_of
from seqlab.engine.sequences import Sequences
from seqlab.engine.state import State

__all__ = ["EncoderChain", "EncoderModule"]

PLAIN = Calls(BareParts())
"""The calls of a chain that stands alone."""


class EncoderModule(Protocol):
    """What a chain uses of an encoder, a torch module.

    One that carries a state may have `state_parts`, the number of tensors in it.
    """

    output_size: int
    carries_state: bool

    def __call__(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        """Map (rows, input_size) to (rows, output_size) and return the state after the last rows."""
        ...

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the lengths of the outputs, integers, shape (sequences,)."""
        ...


class EncoderChain(nn.Module):
    """Each encoder reads the states of the one before; at least one.

    A state is carried where every encoder carries one: the parts of all, one after the other. A chain takes a
    state that another chain of the same encoders has made where each has `state_parts`; ValueError where one
    has not, and the chain itself has made none yet.
    """

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        *_, last = self._each()
        self.output_size = last.output_size
        self.carries_state = all(encoder.carries_state for encoder in self._each())
        self._counts: list[int | None] = [getattr(each, "state_parts", None) for each in self._each()]

    def forward(
        self, inputs: Sequences, state: State | None = None, calls: Calls = PLAIN
    ) -> tuple[Sequences, State | None]:
        """Map (rows, input_size of the first) to (rows, output_size of the last)."""
        if state is not None and not self.carries_state:
            raise ValueError("a chain in which an encoder carries no state cannot take one")
        before = [None] * len(self.encoders) if state is None else self._parted(state)
        finals: list[State | None] = []
        for number, (encoder, part) in enumerate(zip(self._each(), before, strict=True)):
            inputs, final = encoded(encoder, inputs, part, calls, f"encoder.encoders.{number}")
            finals.append(final)
        if not self.carries_state:
            return inputs, None
        parts = tuple(final or () for final in finals)
        self._counts = [len(part) for part in parts]
        return inputs, tuple(tensor for part in parts for tensor in part)

    def output_lengths(self, lengths: Tensor, calls: Calls = PLAIN) -> Tensor:
        """Return the lengths of the last encoder's outputs."""
        for number, encoder in enumerate(self._each()):
            with calls(f"encoder.encoders.{number}", "output_lengths"):
                lengths = lengths_of(encoder, lengths)
        return lengths

    def _parted(self, state: State) -> Sequence[State]:
        """Give each encoder its parts of the state."""
        counts = [count for count in self._counts if count is not None]
        if len(counts) < len(self._counts):
            unknown = self._counts.index(None)
            raise ValueError(
                f"encoder {unknown} of the chain does not say how many parts its state has (state_parts): the"
                " chain takes a state only once it has made one"
            )
        if sum(counts) != len(state):
            raise ValueError(f"the chain's state has {sum(counts)} parts, got {len(state)}")
        parts = iter(state)
        return [tuple(islice(parts, count)) for count in counts]

    def _each(self) -> Iterator[EncoderModule]:
        return cast("Iterator[EncoderModule]", iter(self.encoders))  # nn.ModuleList knows nn.Module only
