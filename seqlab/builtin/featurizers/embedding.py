"""Learned word vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqlab.builtin.featurizers.plugin import EmbeddingConfig
from seqlab.builtin.vocabulary import UNKNOWN
from seqlab.engine import SequenceDropout, Sequences

__all__ = ["WordEmbedding"]


class WordEmbedding(nn.Module):
    """A table of vectors; row 0 is the unknown word's."""

    def __init__(self, num_embeddings: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.output_size = config.embedding_dim
        self.word_dropout = config.word_dropout
        padding = UNKNOWN if config.unknown == "zero" else None
        self.table = nn.Embedding(num_embeddings, config.embedding_dim, padding_idx=padding)
        self.dropout = SequenceDropout(config.dropout)

    def forward(self, words: Sequences) -> Sequences:
        """Map ids (rows,) to vectors (rows, embedding_dim)."""
        features: Sequences = self.dropout(words.with_data(self.table(self._dropped(words.data))))
        return features

    def _dropped(self, ids: Tensor) -> Tensor:
        if not self.training or not self.word_dropout:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.word_dropout, UNKNOWN)
