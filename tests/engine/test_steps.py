from __future__ import annotations

import pytest
import torch
from toy_models import Recorder, dataset, model, settings, trainer

from seqlab.engine.steps import batches_of_epoch, steps_in_all, steps_of_epoch
from seqlab.settings import LinearSchedule

LENGTHS = torch.randint(1, 30, (200,), generator=torch.Generator().manual_seed(1))


def test_jitter_changes_how_many_batches_an_epoch_has_and_the_sum_is_exact() -> None:
    train = settings(epochs=12, batch_tokens=60, length_jitter=0.2)
    counts = [steps_of_epoch(LENGTHS, train, epoch=epoch) for epoch in range(12)]
    assert len(set(counts)) > 1
    assert steps_in_all(LENGTHS, train) == sum(counts)


def test_a_schedule_ends_at_the_last_step_where_epochs_differ_in_length() -> None:
    train = settings(epochs=6, batch_tokens=30, length_jitter=0.2, schedule=LinearSchedule(final_factor=0.1))
    recorder, data = Recorder(), dataset(LENGTHS[:40].tolist())
    made = trainer(model(), data, train, observers={"r": recorder})
    made.fit()
    assert len(recorder.records) == made.total_steps != 6 * made.steps_per_epoch
    assert recorder.records[-1].lr == pytest.approx(0.01)


def test_settings_say_how_batches_are_cut() -> None:
    train = settings(batch_tokens=60, batch_items=3, length_jitter=0.0)
    for batch in batches_of_epoch(LENGTHS, train, epoch=0):
        assert len(batch) <= 3
        assert int(LENGTHS[batch].sum()) <= 60
        assert int(LENGTHS[batch].max() - LENGTHS[batch].min()) <= 2
