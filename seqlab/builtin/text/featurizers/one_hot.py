"""One-hot word vectors."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from seqlab.engine import Sequences

__all__ = ["OneHot"]


class OneHot(nn.Module):
    """Ids to one-hot vectors; place 0 is the unknown word's."""

    pointwise = True

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.output_size = num_classes

    def forward(self, words: Sequences) -> Sequences:
        """Map ids (rows,) to vectors (rows, num_classes)."""
        return words.with_data(functional.one_hot(words.data, self.output_size).float())
