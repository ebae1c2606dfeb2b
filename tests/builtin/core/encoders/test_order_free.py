from __future__ import annotations

import torch

from seqlab.api import Sequences
from seqlab.builtin.core.encoders.order_free import Bag

LENGTHS = [4, 0, 1, 3]


def rows() -> Sequences:
    generator = torch.Generator().manual_seed(1)
    return Sequences.from_list([torch.randn(length, 3, generator=generator) for length in LENGTHS])


def test_rows_become_one_their_sum_or_mean() -> None:
    inputs = rows()
    for scale, divide in (("sum", lambda n: 1.0), ("root", lambda n: n**0.5), ("mean", float)):
        outputs, state = Bag(3, scale=scale).eval()(inputs)
        assert state is None
        assert outputs.lengths.tolist() == [1, 0, 1, 1]
        for found, own in zip(outputs.to_list(), inputs.to_list(), strict=True):
            if len(own):
                assert torch.allclose(found[0], own.sum(0) / divide(len(own)), atol=1e-6)


def test_order_makes_no_difference() -> None:
    inputs = rows()
    turned = Sequences.from_list([own.flip(0) for own in inputs.to_list()])
    bag = Bag(3).eval()
    assert torch.allclose(bag(inputs)[0].data, bag(turned)[0].data, atol=1e-6)


def test_the_summary_is_the_row_and_0_where_there_is_none() -> None:
    inputs, bag = rows(), Bag(3).eval()
    summary = bag(inputs)[0].final
    sums = torch.stack([own.sum(0) for own in inputs.to_list()])
    assert torch.allclose(summary, sums, atol=1e-6)
