"""A stranger's head: one label for the whole sequence, from the encoder's final state; and its metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import (
    Alignment,
    Answer,
    Column,
    Component,
    Config,
    Declaration,
    Example,
    HeadContext,
    MetricContext,
    SeqlabError,
    Sequences,
    States,
    chosen_field,
    hookimpl,
)


class ClassConfig(Config):
    """One label per sequence."""

    target: str | None = None
    """The field to learn; the reader's only label when null."""
    show: int = 2
    """How many alternatives an answer holds."""


class ClassHead:
    alignment: Alignment = "per_sequence"
    default_metrics = ("right",)

    def __init__(self, target: str, show: int) -> None:
        self.target = target
        self.show = show
        self.labels: list[str] = []

    def fit(self, values: Iterable[str | None]) -> None:
        self.labels = sorted({value for value in values if value is not None})
        if not self.labels:
            raise SeqlabError(f"head sentence_class: no example has a {self.target!r}: nothing to learn")

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])

    def encode(self, values: Sequence[str | None]) -> Column:
        ids: dict[str | None, int] = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(value, -1)] for value in values])

    def module(self, input_size: int) -> nn.Module:
        return Classifier(input_size, len(self.labels))

    def answers(self, outputs: Tensor) -> list[Answer]:
        return [self._answer(row) for row in outputs.tolist()]

    def _answer(self, probabilities: list[float]) -> Answer:
        ranked = sorted(zip(probabilities, self.labels, strict=True), key=lambda pair: -pair[0])
        best, *others = (Answer(label, probability) for probability, label in ranked)
        return Answer(best.value, best.score, tuple(others[: self.show]))


class Classifier(nn.Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, labels)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: States, target: Sequences) -> Tensor:
        # `target.final` is the only row of each, in the order of `states.final`.
        scores = self.project(states.final).float()
        return functional.cross_entropy(scores, target.final, ignore_index=-1, reduction="sum")

    def answer(self, states: States) -> Tensor:
        scores: Tensor = self.project(states.final)
        return scores.float().softmax(dim=-1)


class Right:
    """The share of examples whose answer is the gold one; what is missing counts nowhere."""

    higher_is_better = True

    def __init__(self) -> None:
        self.reset()

    def fit(self, examples: Iterable[Example]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        pass

    def reset(self) -> None:
        self.right = self.seen = 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        if gold is not None:
            self.seen += 1
            self.right += answer.value == gold

    def compute(self) -> dict[str, float]:
        return {"right": self.right / self.seen} if self.seen else {}


def build(config: ClassConfig, context: HeadContext) -> ClassHead:
    target = chosen_field("head sentence_class learns", config.target, ("label",), context.fields)
    return ClassHead(target, config.show)


def declared(config: ClassConfig) -> Declaration:
    return Declaration(
        field=config.target, kinds=("label",), alignment="per_sequence", default_metrics=("right",)
    )


def build_right(config: Config, context: MetricContext) -> Right:
    return Right()


HEAD = Component(
    name="sentence_class", config=ClassConfig, build=build, declares=declared, summary="one label"
)


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]


@hookimpl
def seqlab_register_metrics() -> list[Component[Any]]:
    return [
        Component(
            name="right",
            config=Config,
            build=build_right,
            declares=lambda config: Declaration(kinds=("label",), figures=("right",)),
            summary="share of right answers",
        )
    ]
