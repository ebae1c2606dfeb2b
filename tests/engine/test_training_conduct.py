"""How training behaves towards its observers and its host, and when something goes wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from toy_models import (
    LENGTHS,
    Recorder,
    dataset,
    identical,
    model,
    scripted,
    settings,
    trained,
    trainer,
)

from seqlab.engine import (
    Cancelled,
    Dataset,
    Observer,
    SaveReason,
    StepRecord,
    Trainer,
    TrainingJob,
)
from seqlab.errors import SeqlabError

# --- what goes wrong -------------------------------------------------------------------------------------


def with_a_nan() -> Dataset:
    """The data set whose last example has a feature that is not a number."""
    data = dataset()
    data.features[0].values[-1] = torch.nan
    return data


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    subject = model()
    made = trainer(subject, with_a_nan(), settings(batch_tokens=1000))
    # Eight of the ten items of the batch are named.
    items = r"(toy:\d, ){7}toy:\d and 2 more"
    message = re.escape("step 1 (epoch 1): loss nan, gradient norm nan: not finite; items of the batch: ")
    advice = re.escape(
        "; lower the learning rate, set train.clip_norm, or let such steps pass with train.nonfinite: skip"
    )
    with pytest.raises(SeqlabError, match=f"^{message}{items}{advice}$"):
        made.fit()
    assert identical(subject.state_dict(), model().state_dict())


def test_the_message_names_step_epoch_and_items() -> None:
    made = trainer(model(), with_a_nan(), settings(batch_items=1))
    with pytest.raises(SeqlabError) as caught:
        made.fit()
    step = made.progress.step + 1
    assert str(caught.value).startswith(
        f"step {step} (epoch 1): loss nan, gradient norm nan: not finite; items of the batch: toy:9; lower "
    )


def test_skipped_steps_are_counted_and_change_nothing() -> None:
    recorder = Recorder()
    train = settings(epochs=2, batch_items=1, nonfinite="skip", ema=0.5)
    subject = model()
    made = trainer(subject, with_a_nan(), train, observers={"r": recorder})
    made.fit()
    assert made.progress.skipped == 2
    skipped = [number for number, record in enumerate(recorder.records) if record.skipped]
    assert len(skipped) == 2
    for number in skipped:
        before = recorder.weights[number - 1] if number else model().state_dict()
        assert identical(recorder.weights[number], before)
    assert made.progress.step == 2 * len(LENGTHS)
    assert all(bool(tensor.isfinite().all()) for tensor in subject.state_dict().values())


def test_a_skipped_chunk_does_not_spoil_the_ones_after_it() -> None:
    data, subject = dataset(), model()
    data.features[0].values[0] = torch.nan  # the first step of the first example
    recorder = Recorder()
    train = settings(batch_tokens=1000, bptt=3, nonfinite="skip")
    trainer(subject, data, train, observers={"r": recorder}).fit()
    assert [record.skipped for record in recorder.records] == [True, False, False]
    assert all(bool(tensor.isfinite().all()) for tensor in subject.state_dict().values())


def test_cancelling_ends_training_at_a_savepoint() -> None:
    recorder = Recorder()
    job = TrainingJob(
        data=dataset(),
        settings=settings(epochs=3, batch_items=2),
        observers={"r": recorder},
        cancelled=lambda: len(recorder.records) == 3,
    )
    with pytest.raises(Cancelled, match=r"^interrupted after step 3 \(epoch 1\)$") as caught:
        Trainer(model(), job).fit()
    assert caught.value.exit_code == 130
    assert recorder.events[-2:] == [("savepoint", "window"), ("savepoint", "interrupted")]


class Stopper(Observer):
    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        trainer.stop()


def test_stopping_ends_training_after_the_epoch() -> None:
    stopped = trained(settings(epochs=5, batch_items=2), observers={"s": Stopper()})
    assert identical(stopped, trained(settings(epochs=1, batch_items=2)))


# --- the host --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_hosts_global_state_stays(*, deterministic: bool) -> None:
    subject, data = model(dropout=0.5), dataset()
    rng, count = torch.get_rng_state(), torch.get_num_threads()
    trainer(subject, data, settings(deterministic=deterministic)).fit()
    assert torch.equal(torch.get_rng_state(), rng)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == count
    assert torch.is_grad_enabled()


def test_the_seed_decides_everything() -> None:
    subject = model(dropout=0.3)
    first = trained(settings(epochs=2, seed=1), subject)
    torch.rand(5)
    assert identical(trained(settings(epochs=2, seed=1), subject), first)
    assert not identical(trained(settings(epochs=2, seed=2), subject), first)


def test_the_events_of_a_run() -> None:
    recorder, second = Recorder(), Recorder()
    second.events = recorder.events
    _, evaluation = scripted(1, 2)
    made = trainer(
        model(),
        dataset([3, 3, 3]),
        settings(epochs=2, batch_items=1, accumulate=2),
        observers={"first": recorder},
        evaluation=evaluation,
    )
    made.fit()
    window = ("savepoint", "window")

    def epoch(number: int, score: float) -> list[Any]:
        return [
            "epoch_started",
            ("step_finished", 2 * number - 1),
            window,
            ("step_finished", 2 * number),
            window,
            "evaluated",
            ("epoch_finished", number, {"score": score}),
            ("savepoint", "epoch"),
        ]

    assert recorder.events == ["training_started", *epoch(1, 1), *epoch(2, 2), "training_finished"]


def test_observers_are_told_in_their_order() -> None:
    told: list[str] = []

    class Named(Observer):
        def __init__(self, name: str) -> None:
            self.name = name

        def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
            told.append(self.name)

    trained(settings(batch_tokens=1000), observers={"b": Named("b"), "a": Named("a")})
    assert told == ["b", "a", "b", "a"]


class Closing(Observer):
    """Tells of its close; closing fails where `failure` says how."""

    def __init__(self, closed: list[str], name: str, failure: Exception | None = None) -> None:
        self.closed = closed
        self.name = name
        self.failure = failure

    def close(self, trainer: Trainer) -> None:
        self.closed.append(self.name)
        if self.failure:
            raise self.failure


def test_an_observer_that_cannot_be_closed_does_not_keep_the_others_from_it() -> None:
    closed: list[str] = []
    observers = {
        "a": Closing(closed, "a", OSError("first")),
        "b": Closing(closed, "b", OSError("second")),
        "c": Closing(closed, "c"),
    }
    with pytest.raises(OSError, match=r"^first\n") as caught:
        trained(settings(), observers=observers)
    assert closed == ["a", "b", "c"]
    assert caught.value.__notes__ == ["observer b could not be closed: OSError('second')"]


def test_an_observer_that_cannot_be_closed_does_not_hide_what_ended_the_run() -> None:
    closed: list[str] = []
    observers = {"a": Closing(closed, "a", OSError("late")), "b": Closing(closed, "b")}
    with pytest.raises(SeqlabError, match="not finite") as caught:
        trained(settings(), data=with_a_nan(), observers=observers)
    assert closed == ["a", "b"]
    assert caught.value.__notes__ == ["observer a could not be closed: OSError('late')"]
