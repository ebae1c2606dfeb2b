"""A stranger's head: a tagger that answers the best label sequences, not only the best one."""

from __future__ import annotations

import heapq
import math
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
    HeadContext,
    Sequences,
    chosen_field,
    hookimpl,
)


class NBestConfig(Config):
    """The best label sequences."""

    target: str | None = None
    best: int = 3


class NBestHead:
    alignment: Alignment = "per_state"
    default_metrics = ("accuracy",)

    def __init__(self, target: str, best: int) -> None:
        self.target = target
        self.best = best
        self.labels: list[str] = []

    def fit(self, values: Iterable[Sequence[str | None]]) -> None:
        self.labels = sorted({label for value in values for label in value if label is not None})

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])

    def encode(self, values: Sequence[Sequence[str | None]]) -> Column:
        ids: dict[str | None, int] = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(label, -1) for label in value] for value in values])

    def module(self, input_size: int) -> nn.Module:
        return Logits(input_size, len(self.labels))

    def answers(self, outputs: Sequences) -> list[Answer]:
        return [self._answer(rows.tolist()) for rows in outputs.to_list()]

    def _answer(self, rows: list[list[float]]) -> Answer:
        beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        for row in rows:
            grown = (
                (score + each, (*path, number)) for score, path in beams for number, each in enumerate(row)
            )
            beams = heapq.nlargest(self.best, grown)
        first, *others = (
            Answer(
                tuple(self.labels[number] for number in path),
                tuple(math.exp(row[number]) for row, number in zip(rows, path, strict=True)),
            )
            for _, path in beams
        )
        return Answer(first.value, first.score, tuple(others))


class Logits(nn.Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, labels)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        scores = self.project(states.data).float()
        return functional.cross_entropy(scores, target.data, ignore_index=-1, reduction="sum")

    def answer(self, states: Sequences) -> Sequences:
        return states.with_data(self.project(states.data).float().log_softmax(dim=-1))


def build(config: NBestConfig, context: HeadContext) -> NBestHead:
    return NBestHead(
        chosen_field("head nbest learns", config.target, ("labels",), context.fields), config.best
    )


HEAD = Component(name="nbest", config=NBestConfig, build=build, summary="the best label sequences")


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]
