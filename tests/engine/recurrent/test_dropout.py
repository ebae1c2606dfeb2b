from __future__ import annotations

import pytest
import torch

from seqlab.engine import SequenceDropout, Sequences
from seqlab.engine.seeding import seeded

LENGTHS = [40, 0, 25, 60]
FEATURES = 300


@pytest.fixture
def ones() -> Sequences:
    return Sequences.from_flat(torch.ones(sum(LENGTHS), FEATURES), LENGTHS)


def test_locked_dropout_keeps_one_mask_per_sequence(ones: Sequences) -> None:
    with seeded(1):
        dropped = SequenceDropout(0.4, locked=True)(ones).to_list()
    masks = [each[0] for each in dropped if len(each)]
    for each in dropped:
        assert torch.equal(each, each[:1].expand_as(each)), "a mask changes over time"
    assert not any(torch.equal(masks[0], other) for other in masks[1:]), "sequences share a mask"


def test_plain_dropout_draws_a_mask_for_each_row(ones: Sequences) -> None:
    with seeded(1):
        rows = SequenceDropout(0.4)(ones).data
    assert len({tuple(row.tolist()) for row in rows}) == len(rows)


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_what_is_kept_is_scaled_so_that_the_expectation_stays(
    ones: Sequences, p: float, *, locked: bool
) -> None:
    with seeded(1):
        dropped = SequenceDropout(p, locked=locked)(ones)
    values = dropped.data.unique().tolist()
    assert values == pytest.approx([0, 1 / (1 - p)])
    # Of the independent draws (every feature of every row, or of every sequence) the mean is within 4 sigma.
    masks = torch.stack([each[0] for each in dropped.to_list() if len(each)]) if locked else dropped.data
    assert float(masks.mean()) == pytest.approx(1, abs=4 * (p / (1 - p) / masks.numel()) ** 0.5)


@pytest.mark.parametrize("locked", [False, True])
def test_evaluation_and_probability_zero_change_nothing(ones: Sequences, *, locked: bool) -> None:
    assert SequenceDropout(0.5, locked=locked).eval()(ones) is ones
    assert SequenceDropout(0.0, locked=locked)(ones) is ones
