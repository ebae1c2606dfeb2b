"""A stranger's head: any number of labels for the whole sequence; it declares nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
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
    States,
    chosen_field,
    hookimpl,
)


class SetConfig(Config):
    """A set of labels per sequence."""

    target: str | None = None


class SetHead:
    alignment: Alignment = "per_sequence"
    default_metrics: tuple[str, ...] = ()

    def __init__(self, target: str) -> None:
        self.target = target
        self.labels: list[str] = []

    def fit(self, values: Iterable[Collection[str] | None]) -> None:
        self.labels = sorted({label for value in values for label in value or ()})

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])

    def encode(self, values: Sequence[Collection[str] | None]) -> Column:
        """Return a row of 0 and 1, one for each label; no row where the set is missing."""
        rows = [[float(label in value) for label in self.labels] for value in values if value is not None]
        lengths = torch.tensor([int(value is not None) for value in values])
        return Column(torch.tensor(rows).view(-1, len(self.labels)), lengths)

    def module(self, input_size: int) -> nn.Module:
        return Sigmoids(input_size, len(self.labels))

    def answers(self, outputs: Tensor) -> list[Answer]:
        return [self._answer(row) for row in outputs.tolist()]

    def _answer(self, row: list[float]) -> Answer:
        chances = dict(zip(self.labels, row, strict=True))
        chosen = frozenset(label for label, chance in chances.items() if chance > 0.5)
        return Answer(chosen, details={"chances": chances})


class Sigmoids(nn.Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, labels)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(target.layout.total)

    def loss(self, states: States, target: Sequences) -> Tensor:
        scores = self.project(target.expand(states.final)).float()
        return functional.binary_cross_entropy_with_logits(scores, target.data, reduction="sum")

    def answer(self, states: States) -> Tensor:
        scores: Tensor = self.project(states.final)
        return scores.float().sigmoid()


def build(config: SetConfig, context: HeadContext) -> SetHead:
    return SetHead(chosen_field("head label_sets learns", config.target, ("label_set",), context.fields))


HEAD = Component(name="label_sets", config=SetConfig, build=build, summary="a set of labels")


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]
