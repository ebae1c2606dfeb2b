"""Lanes: the training split as one stream, cut into pieces that are read side by side."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from toy_models import LENGTHS, dataset, model, settings

from seqlab.engine import Trainer, TrainingJob
from seqlab.engine.lanes import partly_anew
from seqlab.engine.steps import batches_of_epoch, steps_in_all


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_lanes_hold_the_stream_in_its_order(count: int) -> None:
    data = dataset()
    laned = data.in_lanes(count)
    assert int(laned.lengths.max()) - int(laned.lengths.min()) <= 1
    assert len(laned) == count
    for whole, cut in zip(
        (*data.features, *data.targets.values()), (*laned.features, *laned.targets.values()), strict=True
    ):
        assert torch.equal(whole.values, cut.values)
        assert torch.equal(cut.lengths, laned.lengths)


def test_a_lane_is_named_by_the_example_that_it_begins_in() -> None:
    laned = dataset((4, 3, 5)).in_lanes(3)
    assert [laned.name(number) for number in range(3)] == [
        "lane 0 (from toy:0)",
        "lane 1 (from toy:1)",
        "lane 2 (from toy:2)",
    ]


def test_more_lanes_than_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="13 lanes need at least as many steps of data, there are 12"):
        dataset((4, 3, 5)).in_lanes(13)


def test_lanes_are_one_batch_and_a_chunk_is_a_step() -> None:
    train = settings(epochs=2, lanes=4, bptt=3)
    lengths = dataset().in_lanes(4).lengths
    (batch,) = batches_of_epoch(lengths, train, epoch=0)
    assert batch.tolist() == [0, 1, 2, 3]
    longest = -(-sum(LENGTHS) // 4)
    assert steps_in_all(lengths, train) == 2 * -(-longest // 3)
    trainer = Trainer(model(), TrainingJob(data=dataset(), settings=train))
    trainer.fit()
    assert trainer.progress.step == trainer.total_steps == steps_in_all(lengths, train)
    assert trainer.progress.total_tokens == 2 * sum(LENGTHS)


def test_lanes_without_chunks_are_refused() -> None:
    with pytest.raises(ValidationError, match="bptt must say how many steps a chunk of them has"):
        settings(lanes=2)


def test_lanes_are_refused_where_examples_are_augmented() -> None:
    job = TrainingJob(
        data=dataset(),
        settings=settings(lanes=2, bptt=2),
        augment=lambda indices, _: dataset().gather(indices),
    )
    with pytest.raises(ValueError, match="cuts across examples"):
        Trainer(model(), job)


def test_a_lane_begins_anew_from_the_first_state() -> None:
    subject, batch = model(), dataset((4, 4, 4, 4, 4, 4)).gather(torch.arange(6))
    first, second = batch.chunks(2)
    _, state = subject.encode(first.features)
    assert state is not None
    torch.manual_seed(2)
    found = partly_anew(subject, second, state, 0.5)
    for part, old in zip(found, state, strict=True):
        kept = [torch.equal(row, before) for row, before in zip(part, old, strict=True)]
        fresh = [not row.any() for row in part]
        assert any(kept)
        assert any(fresh)
        assert all(one != other for one, other in zip(kept, fresh, strict=True))
    assert partly_anew(subject, second, state, 0.0) is state
