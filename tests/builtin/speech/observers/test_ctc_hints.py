"""Hints on real heads and trainers: first with weights that are set, then on whole runs on sound."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_models import ToyHead
from toy_speech import write_toy_speech

from seqlab import Lab
from seqlab.api import SeqlabError
from seqlab.builtin.speech.heads.ctc import CTC
from seqlab.builtin.speech.observers.ctc_hints import STEPS, CTCHints
from seqlab.engine import (
    Column,
    Dataset,
    Observer,
    SequenceDropout,
    SequenceModel,
    Sequences,
    State,
    Trainer,
    TrainingJob,
)
from seqlab.engine.norm import SequenceBatchNorm
from seqlab.engine.seeding import seeded
from seqlab.run import RunOptions
from seqlab.settings import TrainSettings

ITEMS = 100
FRAMES = 30
TEXT = (1, 2, 3, 4)
UNITS = 5
EPOCHS = 3
"""Epochs that take `STEPS` steps, one example each."""
RECIPES = Path(__file__).parents[4] / "recipes"

Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return what has been said so far."""
    caplog.set_level(logging.WARNING, logger="seqlab")
    return lambda: caplog.messages


class Noisy(nn.Module):
    """An encoder that draws at random and keeps statistics in training."""

    output_size = 2
    carries_state = True

    def __init__(self) -> None:
        super().__init__()
        self.norm = SequenceBatchNorm(self.output_size)
        self.dropout = SequenceDropout(0.5)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        return self.dropout(self.norm(inputs)), state


def trainer(
    *heads: str,
    texts: Sequence[Sequence[int]] = (TEXT,) * ITEMS,
    batch_items: int = 1,
    observers: Mapping[str, Observer] | None = None,
) -> Trainer:
    lengths = torch.full((len(texts),), FRAMES)
    with seeded(1):
        frames = torch.randn(int(lengths.sum()), Noisy.output_size)
        modules = {name: CTC(Noisy.output_size, UNITS) for name in heads or ("text",)}
        model = SequenceModel([nn.Identity()], Noisy(), modules)
    targets = {name: Column.of([list(text) for text in texts]) for name in modules}
    data = Dataset((Column(frames, lengths),), targets)
    settings = TrainSettings(epochs=2, batch_tokens=ITEMS * FRAMES, batch_items=batch_items)
    return Trainer(model, TrainingJob(data=data, settings=settings, observers=observers or {}))


def hints(training: Trainer, patience: int = 2) -> CTCHints:
    """Return an observer to which a training has begun."""
    observer = CTCHints(patience=patience)
    observer.training_started(training)
    return observer


def say(training: Trainer, blank: float, head: str = "text") -> None:
    """Let a head score the blank so much above the units: it answers blanks alone, one unit where below 0."""
    (module,) = (module for name, module in training.model.named_heads() if name == head)
    assert isinstance(module, CTC)
    with torch.no_grad():
        module.project.weight.zero_()
        module.project.bias.zero_()
        module.project.bias[0] = blank


def epochs(observer: CTCHints, training: Trainer, blanks: Sequence[float], loss: float = 1.0) -> None:
    """Let epochs end with these scores of the blank."""
    for epoch, blank in enumerate(blanks, start=1):
        say(training, blank)
        observer.epoch_finished(training, {"epoch": epoch, "loss": loss})


# --- empty answers ---------------------------------------------------------------------------------------


def test_answers_that_stay_empty_are_told_once(said: Said) -> None:
    training = trainer()
    observer = hints(training)
    epochs(observer, training, [9.0] * (EPOCHS - 1))
    assert not said()
    epochs(observer, training, [9.0] * 3)
    observer.training_finished(training)
    (message,) = said()
    assert message.startswith("head text: for 3 epochs the model has said blank nearly everywhere (blank")


def test_a_model_that_begins_to_answer_is_left_alone(said: Said) -> None:
    training = trainer()
    observer = hints(training)
    epochs(observer, training, [9.0, 9.0, -1.0, 9.0, 9.0, -1.0])
    observer.training_finished(training)
    assert not said()


def test_answers_with_hardly_any_unit_count_as_empty(said: Said) -> None:
    training = trainer(texts=[TEXT * 6] * ITEMS)
    epochs(hints(training), training, [-1.0] * EPOCHS)
    assert len(said()) == 1


def test_a_loss_that_falls_is_given_time(said: Said) -> None:
    training = trainer()
    observer = hints(training)
    epochs(observer, training, [9.0, 8.6, 8.2, 7.8, 7.4])
    assert not said()
    epochs(observer, training, [7.4])
    assert not said()
    epochs(observer, training, [7.4])
    assert len(said()) == 1


def test_each_head_has_its_own_count(said: Said) -> None:
    training = trainer("a", "b")
    observer = hints(training)
    say(training, -1.0, "a")
    say(training, 9.0, "b")
    for epoch in range(EPOCHS):
        observer.epoch_finished(training, {"epoch": epoch, "loss": 1.0})
    assert [message.split(":")[0] for message in said()] == ["head b"]
    say(training, 9.0, "a")
    for epoch in range(EPOCHS):
        observer.epoch_finished(training, {"epoch": epoch, "loss": 1.0})
    assert [message.split(":")[0] for message in said()] == ["head b", "head a"]


def test_epochs_of_few_steps_are_given_as_many_steps_as_long_ones(said: Said) -> None:
    training = trainer(batch_items=50)
    observer = hints(training)
    needed = STEPS // 2
    epochs(observer, training, [9.0] * (needed - 1))
    assert not said()
    epochs(observer, training, [9.0])
    assert len(said()) == 1


def test_patience_counts_where_epochs_are_long(said: Said) -> None:
    training = trainer()
    observer = hints(training, patience=5)
    epochs(observer, training, [9.0] * 4)
    assert not said()
    epochs(observer, training, [9.0])
    assert len(said()) == 1


def test_a_model_without_answers_in_the_end_is_told(said: Said) -> None:
    training = trainer()
    observer = hints(training)
    epochs(observer, training, [9.0])
    observer.training_finished(training)
    (message,) = said()
    assert message.startswith("head text: training has ended while the model still says blank nearly every")


def test_texts_that_are_empty_are_not_asked_for(said: Said) -> None:
    training = trainer(texts=[()] * (ITEMS - 1) + [TEXT])
    observer = hints(training)
    assert observer.data.targets["text"].lengths.tolist() == [len(TEXT)]
    epochs(observer, training, [9.0] * EPOCHS)
    assert len(said()) == 1
    nothing = trainer(texts=[()] * ITEMS)
    epochs(hints(nothing), nothing, [9.0] * EPOCHS)
    assert len(said()) == 1


class Modes(Observer):
    """Notes the mode in which it finds the model after each epoch."""

    def __init__(self) -> None:
        self.training: list[bool] = []

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        self.training.append(trainer.model.training)


def test_training_goes_on_as_if_nobody_had_asked() -> None:
    def trained(observers: Mapping[str, Observer]) -> dict[str, Tensor]:
        training = trainer(batch_items=20, observers=observers)
        training.fit()
        return training.model.state_dict()

    modes = Modes()
    alone = trained({})
    for name, weight in trained({"hints": CTCHints(), "modes": modes}).items():
        assert torch.equal(weight, alone[name]), name
    assert modes.training == [True, True]


def test_without_a_ctc_head_there_is_nothing_to_watch() -> None:
    data = Dataset((Column(torch.randn(6, 2), torch.tensor([2, 4])),), {"tags": Column.of([[0, 1], [1] * 4])})
    model = SequenceModel([nn.Identity()], Noisy(), {"tags": ToyHead(2, [1.0, 1.0])})
    training = Trainer(model, TrainingJob(data=data, observers={"hints": CTCHints()}))
    with pytest.raises(SeqlabError, match=r"^observer ctc_hints: there is no head that learns by CTC"):
        training.fit()


# --- a loss that rises -----------------------------------------------------------------------------------


def answering(losses: Sequence[float]) -> None:
    """Let a model that answers have epochs of these losses."""
    training = trainer()
    say(training, -1.0)
    observer = hints(training)
    for epoch, loss in enumerate(losses, start=1):
        observer.epoch_finished(training, {"epoch": epoch, "loss": loss})


def test_a_loss_that_rises_again_is_told_once(said: Said) -> None:
    answering([3.0, 1.0, 0.5, 1.9, 2.5, 9.0])
    (message,) = said()
    assert message.startswith("the loss of epoch 4 is 1.9, after 0.5 in its best epoch: training")


@pytest.mark.parametrize("losses", [[3.0, 2.0, 2.5, 2.1], [3.0, 0.01, 0.03, 0.02], [1.0], [3.0, 0.0, 2.9]])
def test_a_loss_that_wavers_is_no_divergence(said: Said, losses: list[float]) -> None:
    answering(losses)
    assert not said()


# --- resuming --------------------------------------------------------------------------------------------


def test_a_resumed_run_goes_on_counting_and_does_not_repeat_itself(said: Said) -> None:
    def resumed(before: CTCHints) -> CTCHints:
        observer = CTCHints(patience=2)
        observer.restore(json.loads(json.dumps(before.state())))
        observer.training_started(training)
        return observer

    training = trainer()
    first = hints(training)
    epochs(first, training, [9.0], loss=3.0)
    epochs(first, training, [9.0], loss=0.5)
    assert not said()
    second = resumed(first)
    assert torch.equal(second.data.features[0].values, first.data.features[0].values)
    epochs(second, training, [9.0], loss=2.0)
    assert len(said()) == 2
    third = resumed(second)
    epochs(third, training, [9.0], loss=5.0)
    third.training_finished(training)
    assert len(said()) == 2
    CTCHints().restore({})


# --- runs on sound, none of which has a dev split --------------------------------------------------------


class Blanks(Observer):
    """Notes how many epochs in a row had empty answers, at most."""

    def __init__(self, watched: CTCHints) -> None:
        self.watched = watched
        self.most = 0

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        self.most = max(self.most, len(self.watched.streaks["text"]))


@pytest.mark.slow
def test_a_model_that_cannot_learn_is_told_without_a_dev_split_and_without_a_metric_of_words(
    said: Said, lab: Lab, tmp_path: Path
) -> None:
    recipe = write_toy_speech(tmp_path)
    manifest = tmp_path / "train.jsonl"
    records = [json.loads(line) for line in manifest.read_text().splitlines()]
    wrong = [record | {"text": 2 * "aeio"[number % 4]} for number, record in enumerate(records)]
    manifest.write_text("".join(json.dumps(record) + "\n" for record in wrong))
    changes = [
        "data.test=null",
        "metrics=[cer]",
        "observers=[ctc_hints]",
        "encoder.hidden_size=8",
        "train.batch_items=1",
        "train.epochs=6",
        "train.optimizer.lr=0.003",
    ]
    lab.run(recipe, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    (message,) = said()
    assert "(blank collapse), in training sequences" in message


@pytest.mark.slow
def test_no_hint_is_given_to_a_model_that_learns_after_many_epochs_of_blanks(
    said: Said, lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "few.digits").write_text("generate train 60\n")
    changes = [
        f"data.train={tmp_path / 'few.digits'}",
        "data.dev=null",
        "data.test=null",
        "data.reader.voices=[en, en-us+f1, en-gb-scotland+m4, en-us+m7, en+f2, en-029+f2, en-us+f5]",
        "observers=[]",
        "encoder={name: bilstm, hidden_size: 32}",
        "train.batch_tokens=400",
        "train.epochs=18",
        "train.optimizer.lr=0.005",
        "train.schedule={name: constant}",
    ]
    watching = CTCHints()
    seen = Blanks(watching)
    observers = {"hints": watching, "seen": seen}
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1, observers=observers)
    lab.run(RECIPES / "asr_digits.yaml", changes, options)
    assert seen.most > watching.patience, "a hard case: blanks for many epochs"
    assert not watching.streaks["text"], "it answers in the end"
    assert not said()


def test_a_run_that_is_over_before_the_first_answer_is_told(said: Said, lab: Lab, tmp_path: Path) -> None:
    changes = ["data.test=null", "observers=[ctc_hints]", "train.epochs=5", "train.optimizer.lr=0.003"]
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    lab.run(write_toy_speech(tmp_path), changes, options)
    (message,) = said()
    assert "training has ended while" in message
