"""Encoders that know no order: all rows of a sequence become one, their sum or their mean."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor, nn

from seqlab.engine import Layout, SequenceDropout, Sequences, State

__all__ = ["Bag", "Scale"]

Scale: TypeAlias = Literal["sum", "root", "mean"]
"""What the sum is divided by: nothing, the root of the number of rows, or their number."""


class Bag(nn.Module):
    """The sum of a sequence's rows, scaled; sequences of any length become one row, empty ones none.

    A row may be what a word adds to the scores of labels (`ngrams`), or any vector of it (`embedding`).
    """

    carries_state = False  # the sum of a chunk is no state that another chunk goes on from

    def __init__(self, input_size: int, *, scale: Scale = "sum", dropout: float = 0.0) -> None:
        super().__init__()
        self.output_size = input_size
        self.scale = scale
        self.dropout = SequenceDropout(dropout)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, None]:
        """Map (rows, input_size) to (sequences that are not empty, input_size); there is no state."""
        rows: Sequences = self.dropout(inputs)
        sums = rows.data.new_zeros(len(rows), rows.data.shape[1])
        sums = sums.index_add(0, rows.layout.items, rows.data)
        layout = Layout.of(self.output_lengths(inputs.lengths)).to(rows.data.device)
        return Sequences(self._scaled(sums, inputs.lengths)[layout.items], layout), None

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return 1, for empty sequences 0."""
        return lengths.clamp(max=1)

    def _scaled(self, sums: Tensor, lengths: Tensor) -> Tensor:
        if self.scale == "sum":
            return sums
        counts = lengths.clamp(min=1).to(sums.device, sums.dtype)
        return sums / (counts.sqrt() if self.scale == "root" else counts)[:, None]
