"""From the states of a sequence to one vector: the last state, the mean, the maximum, or attention."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.api import Sequences

__all__ = ["Attention", "Pooling", "largest", "mean", "summed"]

Pooling: TypeAlias = Literal["last", "mean", "max", "attention"]


def summed(states: Sequences) -> Tensor:
    """Return the sum of each sequence's rows in the caller's order, (sequences, size); 0 where empty."""
    data = states.data
    return data.new_zeros(len(states), data.shape[1]).index_add(0, states.layout.items, data)


def mean(states: Sequences) -> Tensor:
    """Return the mean of each sequence's rows, (sequences, size); 0 where it is empty."""
    lengths = states.lengths.clamp(min=1).to(states.data.device)
    return summed(states) / lengths[:, None].to(states.data.dtype)


def largest(states: Sequences) -> Tensor:
    """Return the largest value of each feature in a sequence, (sequences, size); 0 where it is empty."""
    data = states.data
    index = states.layout.items[:, None].expand_as(data)
    zeros = data.new_zeros(len(states), data.shape[1])
    return zeros.scatter_reduce(0, index, data, "amax", include_self=False)


class Attention(nn.Module):
    """The mean of the rows, weighted by the softmax of their products with a learned query.

    Scores are divided by the root of the size (Vaswani et al. 2017); at first all rows weigh alike.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(size))

    def forward(self, states: Sequences) -> tuple[Tensor, Tensor]:
        """Return the weighted means, (sequences, size), 0 where empty, and the weights, (rows,)."""
        items, data = states.layout.items, states.data
        scores = (data @ self.query).float() / data.shape[1] ** 0.5
        # The highest score of each sequence is taken off, so that no exponential overflows.
        highest = scores.new_zeros(len(states)).scatter_reduce(0, items, scores, "amax", include_self=False)
        powers = (scores - highest.detach()[items]).exp()
        weights = powers / powers.new_zeros(len(states)).index_add(0, items, powers)[items]
        return summed(states.with_data(data * weights[:, None].to(data.dtype))), weights
