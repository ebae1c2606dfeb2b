"""Encoders that work row by row: normalisation and linear layers, for stacks of encoders."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from seqlab.builtin.core.encoders.activations import ACTIVATIONS
from seqlab.engine import SequenceDropout, Sequences, State

__all__ = ["Projection", "RowEncoder"]


class RowEncoder(nn.Module):
    """A module that maps Sequences row by row, as an encoder; lengths stay, and there is nothing to carry."""

    carries_state = True
    state_parts = 0

    def __init__(self, rowwise: nn.Module, output_size: int) -> None:
        super().__init__()
        self.rowwise = rowwise
        self.output_size = output_size

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        """Map (rows, input_size) to (rows, output_size); the state has no parts."""
        return self.rowwise(inputs), ()

    def final(self, outputs: Sequences, before: Callable[[], Tensor]) -> Tensor:
        """Return what the module makes of the summary of its input, (sequences, output_size)."""
        summary = before()
        mapped: Sequences = self.rowwise(Sequences.from_flat(summary, [1] * len(summary)))
        return mapped.to_flat()

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the lengths unchanged."""
        return lengths


class Projection(nn.Module):
    """A linear layer, an activation where there is one, and dropout."""

    def __init__(self, input_size: int, hidden_size: int, activation: str | None, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, hidden_size)
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()
        self.dropout = SequenceDropout(dropout)

    def forward(self, inputs: Sequences) -> Sequences:
        """Map (rows, input_size) to (rows, hidden_size)."""
        projected: Sequences = self.dropout(inputs.with_data(self.activation(self.linear(inputs.data))))
        return projected
