from __future__ import annotations

import torch

from seqlab.api import Sequences
from seqlab.builtin.core.heads.pooling import Attention, largest, mean, summed

LENGTHS = [3, 0, 1, 5]


def states(size: int = 4) -> Sequences:
    generator = torch.Generator().manual_seed(1)
    return Sequences.from_list([torch.randn(length, size, generator=generator) for length in LENGTHS])


def test_sums_means_and_maxima_are_those_of_each_sequence_alone() -> None:
    batch = states()
    for number, rows in enumerate(batch.to_list()):
        if len(rows):
            assert torch.allclose(summed(batch)[number], rows.sum(0))
            assert torch.allclose(mean(batch)[number], rows.mean(0), atol=1e-6)
            assert torch.equal(largest(batch)[number], rows.max(0).values)
        else:
            assert not any(each[number].any() for each in (summed(batch), mean(batch), largest(batch)))


def test_attention_is_the_mean_until_something_is_learned() -> None:
    batch = states()
    pooled, weights = Attention(4)(batch)
    assert torch.allclose(pooled, mean(batch), atol=1e-6)
    sums = [float(each.sum()) for each in batch.with_data(weights.detach()).to_list() if len(each)]
    assert torch.allclose(torch.tensor(sums), torch.ones(3))


def test_attention_turns_to_the_row_that_its_query_points_at() -> None:
    attention = Attention(2)
    rows = Sequences.from_list([torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])])
    with torch.no_grad():
        attention.query.copy_(torch.tensor([1000.0, 0.0]))  # so large that exponentials would overflow
    pooled, weights = attention(rows)
    assert torch.equal(rows.with_data(weights.detach()).to_flat(), torch.tensor([0.0, 1.0, 0.0]))
    assert torch.equal(pooled.detach(), torch.tensor([[1.0, 0.0]]))
