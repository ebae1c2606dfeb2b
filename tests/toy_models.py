"""A small model and data for it, in double precision where the arithmetic is what is tested."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.engine import (
    Answers,
    Budget,
    CellKind,
    Column,
    Dataset,
    Evaluation,
    Observer,
    RecurrentSpec,
    RecurrentStack,
    SaveReason,
    SequenceDropout,
    SequenceModel,
    Sequences,
    State,
    StepRecord,
    Trainer,
    TrainingJob,
    answer,
    load_state,
    save_state,
)
from seqlab.engine.checkpoint import weights
from seqlab.engine.seeding import seeded
from seqlab.settings import SGD, TrainSettings

INPUT_SIZE = 3
LABELS = 4
LENGTHS = (5, 2, 7, 1, 3, 6, 4, 2, 5, 3)


class ToyEncoder(nn.Module):
    def __init__(self, cell: CellKind, *, bidirectional: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.stack = RecurrentStack(
            RecurrentSpec(cell=cell, input_size=INPUT_SIZE, hidden_size=5, bidirectional=bidirectional)
        )
        self.dropout = SequenceDropout(dropout)
        self.output_size = self.stack.output_size
        self.carries_state = not bidirectional

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = self.stack(self.dropout(inputs), state)
        return self.dropout(states), final


class ToyHead(nn.Module):
    """Weighted cross-entropy in the precision of the states; target -1 costs nothing."""

    def __init__(self, input_size: int, weights: Sequence[float]) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, LABELS)
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(weights))

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return self.weights[target.data[target.data >= 0]].sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        scores = self.project(states.data)
        scores = scores.float() if scores.dtype == torch.bfloat16 else scores
        return functional.cross_entropy(
            scores, target.data, weight=self.weights, ignore_index=-1, reduction="sum"
        )

    def answer(self, states: Sequences) -> tuple[Sequences, Sequences]:
        best, ids = self.project(states.data).softmax(-1).max(-1)
        return states.with_data(ids), states.with_data(best)


def tagged(
    outputs: tuple[Sequences, Sequences], _indices: Sequence[int]
) -> list[tuple[list[int], list[float]]]:
    """Return the ids of each sequence with their probabilities: what `answer` keeps of a ToyHead."""
    ids, probabilities = ([row.tolist() for row in each.to_list()] for each in outputs)
    return list(zip(ids, probabilities, strict=True))


def answered(subject: SequenceModel, data: Dataset, budget: Budget, **options: Any) -> dict[str, Answers]:
    """Answer the data with a model whose heads are all ToyHeads."""
    return answer(subject, data, budget, dict.fromkeys(subject.head_names, tagged), **options)


def dataset(
    lengths: Sequence[int] = LENGTHS, *, heads: Sequence[str] = ("tags",), dtype: torch.dtype = torch.float64
) -> Dataset:
    """Random features and labels that follow from them and from the step before."""
    generator = torch.Generator().manual_seed(7)
    sizes = torch.tensor(lengths)
    values = torch.randn(int(sizes.sum()), INPUT_SIZE, generator=generator, dtype=dtype)
    signs = (values[:, :2] > 0).long()
    labels = signs[:, 0] + 2 * signs[:, 1].roll(1)
    targets = {name: Column((labels + number) % LABELS, sizes) for number, name in enumerate(heads)}
    places = [f"toy:{number}" for number in range(len(lengths))]
    return Dataset((Column(values, sizes),), targets, places)


def model(
    *,
    heads: Sequence[str] = ("tags",),
    cell: CellKind = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> SequenceModel:
    with seeded(3):
        encoder = ToyEncoder(cell, bidirectional=bidirectional, dropout=dropout)
        weights = [0.5, 1.0, 2.0, 0.25]
        made = {name: ToyHead(encoder.output_size, weights[n:] + weights[:n]) for n, name in enumerate(heads)}
        return SequenceModel([nn.Identity()], encoder, made).to(dtype)


def settings(**values: Any) -> TrainSettings:
    """SGD without any extra, in batches of about three sequences, where nothing else is said."""
    plain = {"epochs": 1, "batch_tokens": 12, "optimizer": SGD(lr=0.1)}
    return TrainSettings.model_validate(plain | values)


def trainer(
    subject: SequenceModel,
    data: Dataset,
    train: TrainSettings,
    *,
    observers: Mapping[str, Observer] | None = None,
    **job: Any,
) -> Trainer:
    return Trainer(subject, TrainingJob(data=data, settings=train, observers=observers or {}, **job))


def trained(train: TrainSettings, subject: SequenceModel | None = None, **job: Any) -> dict[str, Tensor]:
    """Return the weights after a run from the same initial weights as ever."""
    subject = copy.deepcopy(subject) if subject is not None else model()
    trainer(subject, job.pop("data", None) or dataset(), train, **job).fit()
    return subject.state_dict()


def identical(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Return whether two state dicts hold the same bits."""
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


def distance(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest difference between two state dicts."""
    assert found.keys() == expected.keys()
    return max(float((found[name] - expected[name]).abs().max()) for name in expected)


class Saver(Observer):
    """Writes the state at every savepoint to a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reasons: list[SaveReason] = []

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        state = trainer.state() | {"best": trainer.best}
        save_state(self.folder / f"{len(self.reasons):03d}", state)
        self.reasons.append(reason)

    def load(self, number: int) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
        state = load_state(self.folder / f"{number:03d}")
        return state, state.pop("best")


class Recorder(Observer):
    def __init__(self) -> None:
        self.records: list[StepRecord] = []
        self.weights: list[dict[str, Tensor]] = []
        self.rates: list[float] = []
        self.events: list[Any] = []

    def training_started(self, trainer: Trainer) -> None:
        self.events.append("training_started")

    def epoch_started(self, trainer: Trainer) -> None:
        self.events.append("epoch_started")

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        self.events.append(("step_finished", record.step))
        self.records.append(record)
        self.weights.append(weights(trainer.model))

    def evaluated(self, trainer: Trainer, metrics: Mapping[str, float]) -> None:
        self.events.append("evaluated")

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        self.events.append(("epoch_finished", record["epoch"], record["dev"]))
        self.rates.append(record["lr"])

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        self.events.append(("savepoint", reason))

    def training_finished(self, trainer: Trainer) -> None:
        self.events.append("training_finished")


class Script:
    """A dev metric that follows a script, and the weights of the model that was judged each time."""

    def __init__(self, *values: float) -> None:
        self.values = iter(values)
        self.seen: list[dict[str, Tensor]] = []

    def __call__(self, subject: SequenceModel) -> Mapping[str, float]:
        assert not any(module.training for module in subject.modules())
        self.seen.append(weights(subject))
        return {"score": next(self.values)}


def scripted(*values: float, higher_is_better: bool = True) -> tuple[Script, Evaluation]:
    script = Script(*values)
    return script, Evaluation(judge=script, monitor="score", higher_is_better=higher_is_better)
