"""Learned word vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqlab.builtin.core.vocabulary import UNKNOWN
from seqlab.engine import SequenceDropout, Sequences

__all__ = ["WordEmbedding"]


class WordEmbedding(nn.Module):
    """A table of vectors; row 0 is the unknown word's, zeros that stay zeros with `zero_unknown`."""

    pointwise = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
        zero_unknown: bool = False,
        init_std: float = 1.0,
    ) -> None:
        super().__init__()
        self.output_size = embedding_dim
        self.word_dropout = word_dropout
        padding = UNKNOWN if zero_unknown else None
        self.table = nn.Embedding(num_embeddings, embedding_dim, padding_idx=padding)
        with torch.no_grad():
            self.table.weight.mul_(init_std)
        self.dropout = SequenceDropout(dropout)

    def forward(self, words: Sequences) -> Sequences:
        """Map ids (rows,) to vectors (rows, embedding_dim)."""
        features: Sequences = self.dropout(words.with_data(self.table(self._dropped(words.data))))
        return features

    def _dropped(self, ids: Tensor) -> Tensor:
        if not self.training or not self.word_dropout:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.word_dropout, UNKNOWN)
