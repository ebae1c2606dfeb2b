"""Whatever a run does, it does the same after any of its savepoints, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_models import Saver, answered, dataset, identical, model, settings

from seqlab.engine import (
    Budget,
    Cancelled,
    Evaluation,
    Observer,
    SequenceModel,
    StepRecord,
    Trainer,
    TrainingJob,
    precision,
    training,
)
from seqlab.engine.checkpoint import weights
from seqlab.errors import PackageError
from seqlab.settings import SGD, Adam, EarlyStopping, OneCycleSchedule, PlateauSchedule, TrainSettings

RUNS = {
    "everything": settings(
        epochs=3, accumulate=2, ema=0.7, optimizer=Adam(lr=0.02), schedule=OneCycleSchedule(), clip_norm=1.0
    ),
    "plateau": settings(
        epochs=4,
        optimizer=SGD(lr=0.5, momentum=0.9),
        schedule=PlateauSchedule(factor=0.5, patience=0),
        early_stopping=EarlyStopping(patience=2),
    ),
    "bptt": settings(epochs=3, accumulate=2, bptt=2, optimizer=Adam(lr=0.02)),
    "bf16": settings(epochs=2, precision="bf16"),
    "lanes": settings(epochs=3, lanes=3, bptt=2, lane_reset=0.4, optimizer=Adam(lr=0.02)),
}


class Counter(Observer):
    """Keeps the steps that it has seen, over resumes, too."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.steps = list(state["steps"])

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        self.steps.append(record.step)


def judge(subject: SequenceModel) -> dict[str, float]:
    loss = answered(subject, dataset((4, 3, 6), dtype=torch.float32), Budget(10))["tags"].loss
    assert loss is not None
    return {"loss": loss}


def new_trainer(train: TrainSettings, observers: Mapping[str, Observer], *, fresh: bool = False) -> Trainer:
    """A trainer of the small model with dropout; a fresh one starts from weights that must not matter."""
    subject = model(dropout=0.3, dtype=torch.float32)
    if fresh:
        for parameter in subject.parameters():
            nn.init.constant_(parameter, 0.5)
    job = TrainingJob(
        data=dataset(dtype=torch.float32),
        settings=train,
        evaluation=Evaluation(judge=judge, monitor="loss", higher_is_better=False),
        observers=observers,
    )
    return Trainer(subject, job)


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of nested data by their path; clock times, which differ, left out."""
    if isinstance(value, Mapping):
        items = ((str(key), each) for key, each in value.items() if "seconds" not in str(key))
    elif isinstance(value, list | tuple):
        items = ((str(number), each) for number, each in enumerate(value))
    else:
        return {path: value}
    return {name: leaf for key, each in items for name, leaf in flattened(each, f"{path}/{key}").items()}


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    left, right = flattened(found), flattened(expected)
    assert left.keys() == right.keys()
    for name, value in right.items():
        equal = torch.equal(left[name], value) if isinstance(value, Tensor) else left[name] == value
        assert equal, f"{name}: {left[name]} is not {value}"


@pytest.mark.parametrize("name", RUNS)
def test_every_savepoint_leads_to_the_same_end(tmp_path: Path, name: str) -> None:
    saver, counter = Saver(tmp_path), Counter()
    whole = new_trainer(RUNS[name], {"counter": counter, "saver": saver})
    whole.fit()
    inside = {"chunk"} if RUNS[name].bptt else set()
    assert {"window", "epoch"} | inside == set(saver.reasons)
    assert len(saver.reasons) > 6
    for number in range(len(saver.reasons)):
        again = Counter()
        resumed = new_trainer(RUNS[name], {"counter": again, "saver": Quiet()}, fresh=True)
        resumed.restore(*saver.load(number))
        resumed.fit()
        assert identical(resumed.model.state_dict(), whole.model.state_dict())
        assert resumed.best is not None
        assert whole.best is not None
        assert identical(resumed.best, whole.best)
        ends = [{**each.state(), "observers": None, "rng": None} for each in (resumed, whole)]
        assert_same(*ends)
        assert again.steps == counter.steps


class Quiet(Observer):
    """Sees everything and keeps nothing."""


def test_a_cancelled_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    train = RUNS["everything"]
    whole = new_trainer(train, {})
    whole.fit()
    saver, counter = Saver(tmp_path), Counter()
    subject = model(dropout=0.3, dtype=torch.float32)
    job = TrainingJob(
        data=dataset(dtype=torch.float32),
        settings=train,
        evaluation=whole.job.evaluation,
        observers={"counter": counter, "saver": saver},
        cancelled=lambda: len(counter.steps) == 3,
    )
    with pytest.raises(Cancelled):
        Trainer(subject, job).fit()
    assert saver.reasons[-1] == "interrupted"
    resumed = new_trainer(train, {}, fresh=True)
    resumed.restore(*saver.load(len(saver.reasons) - 1))
    resumed.fit()
    assert identical(resumed.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize("began_with_bf16", [True, False])
def test_a_run_of_auto_precision_goes_on_as_it_began_on_another_kind_of_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, began_with_bf16: bool
) -> None:
    train = settings(epochs=2, precision="auto")
    monkeypatch.setattr(precision, "computes_bf16", lambda _device: began_with_bf16)
    saver = Saver(tmp_path)
    whole = new_trainer(train, {"saver": saver})
    whole.fit()
    monkeypatch.setattr(precision, "computes_bf16", lambda _device: not began_with_bf16)
    resumed = new_trainer(train, {}, fresh=True)
    assert resumed.precision == ("fp32" if began_with_bf16 else "bf16")
    resumed.restore(*saver.load(0))
    assert resumed.precision == ("bf16" if began_with_bf16 else "fp32")
    resumed.fit()
    assert identical(resumed.model.state_dict(), whole.model.state_dict())
    other = new_trainer(settings(epochs=2, precision="fp32" if began_with_bf16 else "bf16"), {})
    other.fit()
    assert not identical(other.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize("held", [None, "fp8"])
def test_a_state_without_a_precision_that_auto_can_take_is_a_package_error(held: str | None) -> None:
    train = settings(precision="auto")
    state = new_trainer(train, {}).state()
    del state["precision"]
    with pytest.raises(PackageError, match=r"^the checkpoint does not fit this recipe: .*precision"):
        new_trainer(train, {}).restore(state | ({"precision": held} if held else {}), None)


class StopsAtOnce(Observer):
    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        trainer.stop()


def test_an_epoch_that_is_to_be_the_last_is_finished_after_a_resume_inside_it(tmp_path: Path) -> None:
    train = settings(epochs=5, batch_items=2)
    saver = Saver(tmp_path)
    whole = new_trainer(train, {"stop": StopsAtOnce(), "saver": saver})
    whole.fit()
    assert whole.progress.epoch == 1
    resumed = new_trainer(train, {}, fresh=True)
    resumed.restore(*saver.load(0))
    resumed.fit()
    assert resumed.progress.epoch == 1
    assert identical(resumed.model.state_dict(), whole.model.state_dict())


def test_a_finished_run_that_is_resumed_only_gives_its_best_weights(tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    whole = new_trainer(RUNS["bptt"], {"saver": saver})
    whole.fit()
    resumed = new_trainer(RUNS["bptt"], {}, fresh=True)
    resumed.restore(*saver.load(len(saver.reasons) - 1))
    assert not identical(resumed.model.state_dict(), weights(new_trainer(RUNS["bptt"], {}).model))
    resumed.fit()
    assert resumed.progress.step == whole.progress.step
    assert identical(resumed.model.state_dict(), whole.model.state_dict())


@pytest.mark.parametrize("missing", ["model", "optimizer", "schedule", "progress", "rng"])
def test_a_state_that_lacks_something_is_a_package_error(missing: str) -> None:
    made = new_trainer(RUNS["bptt"], {})
    state = {name: value for name, value in made.state().items() if name != missing}
    with pytest.raises(PackageError, match=rf"^the checkpoint does not fit this recipe: '{missing}'$"):
        new_trainer(RUNS["bptt"], {}).restore(state, None)


def test_the_state_of_another_model_is_a_package_error() -> None:
    other = Trainer(model(cell="gru"), TrainingJob(data=dataset(), settings=RUNS["bptt"]))
    with pytest.raises(PackageError, match=r"^the checkpoint does not fit this recipe: Error"):
        new_trainer(RUNS["bptt"], {}).restore(other.state(), None)


def test_a_state_without_the_average_that_the_settings_want_is_a_package_error() -> None:
    state = new_trainer(RUNS["everything"].model_copy(update={"ema": None}), {}).state()
    with pytest.raises(PackageError, match=r"^the checkpoint does not fit this recipe: "):
        new_trainer(RUNS["everything"], {}).restore(state, None)


@pytest.mark.parametrize(
    "change",
    [
        {"progress": {"epoch": "x"}},
        {"progress": {"epoch": None}},
        {"progress": []},
        {"progress": {"colour": 1}},
        {"rng": {}},
        {"rng": 1},
        {"rng": {"cpu": torch.zeros(3)}},
        {"observers": []},
        {"model": {}},
        {"optimizer": 1},
    ],
)
def test_a_checkpoint_with_odd_content_is_refused_before_training(change: dict[str, Any]) -> None:
    job = TrainingJob(data=dataset(), settings=settings(epochs=1), observers={"counter": Counter()})
    state = Trainer(model(), job).state()
    Trainer(model(), job).restore(state, None)
    with pytest.raises(PackageError, match=r"^the checkpoint does not fit this recipe: "):
        Trainer(model(), job).restore({**state, **change}, None)


@pytest.mark.parametrize("best", [{}, {"w": torch.zeros(1)}])
def test_best_weights_of_another_model_are_refused_before_training(best: dict[str, Tensor]) -> None:
    job = TrainingJob(data=dataset(), settings=settings(epochs=1))
    trainer = Trainer(model(), job)
    with pytest.raises(PackageError, match="the best weights are those of another model"):
        trainer.restore(trainer.state(), best)


def test_a_bug_of_an_observer_is_no_checkpoint_that_does_not_fit() -> None:
    job = TrainingJob(data=dataset(), settings=settings(epochs=1), observers={"counter": Counter()})
    state = {**Trainer(model(), job).state(), "observers": {"counter": {}}}
    with pytest.raises(KeyError, match="steps") as caught:
        Trainer(model(), job).restore(state, None)
    assert caught.value.__notes__ == ["observer counter could not take back its state"]


@pytest.mark.parametrize(
    ("before", "told"), [("avx9", "by native loops for avx9 so far"), (None, "by torch so far")]
)
def test_a_run_that_goes_on_by_other_loops_says_so(
    before: str | None,
    told: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saver = Saver(tmp_path)
    new_trainer(settings(epochs=2), {"saver": saver}).fit()
    state, best = saver.load(0)
    monkeypatch.setattr(training, "instructions", lambda: "avx2")
    new_trainer(settings(epochs=2), {}, fresh=True).restore({**state, "loops": "avx2"}, best)
    assert not caplog.records
    new_trainer(settings(epochs=2), {}, fresh=True).restore({**state, "loops": before}, best)
    (record,) = caplog.records
    assert told in record.getMessage()
    assert ", by native loops for avx2 now" in record.getMessage()
