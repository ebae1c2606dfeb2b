"""Dropout on sequences, independent per row or locked over time."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from seqlab.engine.sequences import Sequences

__all__ = ["SequenceDropout"]


class SequenceDropout(nn.Module):
    """Zero features with probability `p` in training and scale the rest by 1 / (1 - p).

    `locked` draws one mask per sequence and keeps it over all its steps, with truncated BPTT over those of a
    chunk: the variational dropout of Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks" (2016).
    """

    def __init__(self, p: float, *, locked: bool = False) -> None:
        super().__init__()
        self.p = p
        self.locked = locked

    def forward(self, inputs: Sequences) -> Sequences:
        """Map (rows, feature) to (rows, feature)."""
        if not self.training or not self.p:
            return inputs
        if not self.locked:
            return inputs.with_data(functional.dropout(inputs.data, self.p))
        ones = inputs.data.new_ones(len(inputs), *inputs.data.shape[1:])
        return inputs.with_data(inputs.data * inputs.expand(functional.dropout(ones, self.p)))
