"""A stranger's head: a forecast of one or several numbers with intervals, from a Gaussian for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

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
    Sequences,
    States,
    chosen_field,
    hookimpl,
)

KINDS = ("number", "series")
WIDTH = 1.645
"""Standard deviations on either side of the mean within which 90% lie."""


class ForecastConfig(Config):
    """A forecast with an interval that holds the truth in 90% of cases."""

    target: str | None = None


class ForecastHead:
    alignment: Alignment = "per_sequence"
    default_metrics = ("coverage",)

    def __init__(self, target: str, kind: str) -> None:
        self.target = target
        self.single = kind == "number"
        self.ahead, self.mean, self.spread = 1, 0.0, 1.0

    def fit(self, values: Iterable[Any]) -> None:
        rows = [self._row(value) for value in values]
        numbers = torch.tensor([number for row in rows for number in row], dtype=torch.float64)
        self.ahead = max(map(len, rows))
        self.mean, self.spread = float(numbers.mean()), float(numbers.std(correction=0)) or 1.0

    def state(self) -> dict[str, Any]:
        return {"ahead": self.ahead, "mean": self.mean, "spread": self.spread}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.ahead, self.mean, self.spread = state["ahead"], state["mean"], state["spread"]

    def encode(self, values: Sequence[Any]) -> Column:
        """Return the numbers, standardised; no row where a number is missing."""
        rows = [[(number - self.mean) / self.spread for number in self._row(value)] for value in values]
        return Column.of(rows, dtype=torch.float32)  # type: ignore[arg-type]

    def _row(self, value: Any) -> list[float]:
        if value is None:
            return []
        return [float(value)] if self.single else [float(number) for number in value]

    def module(self, input_size: int) -> nn.Module:
        return Gaussians(input_size, self.ahead)

    def answers(self, outputs: tuple[Tensor, Tensor]) -> list[Answer]:
        means, logs = (each.double() for each in outputs)
        centre = self.mean + self.spread * means
        reach = WIDTH * self.spread * (0.5 * logs).exp()
        rows = zip(centre.tolist(), (centre - reach).tolist(), (centre + reach).tolist(), strict=True)
        return [
            Answer(middle[0] if self.single else middle, details={"low": low, "high": high})
            for middle, low, high in rows
        ]


class Gaussians(nn.Module):
    """A mean and a log-variance for each number that is forecast."""

    def __init__(self, input_size: int, ahead: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, 2 * ahead)

    def answer(self, states: States) -> tuple[Tensor, Tensor]:
        mean, log = self.project(states.final).float().chunk(2, dim=-1)
        return mean, log.clamp(-8, 8)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(target.layout.total)

    def loss(self, states: States, target: Sequences) -> Tensor:
        items, times = target.layout.items, target.layout.times.clamp(max=self.project.out_features // 2 - 1)
        mean, log = (each[items, times] for each in self.answer(states))
        return 0.5 * (log + (target.data - mean) ** 2 / log.exp() + math.log(2 * math.pi)).sum()


class Coverage:
    """The share of numbers that lie in their intervals."""

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
        self.inside = self.seen = 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        numbers = [] if gold is None else [gold] if isinstance(gold, float) else gold
        # Gold answers judged against themselves have no interval.
        middle = answer.value if isinstance(answer.value, Sequence) else [answer.value]
        lows, highs = answer.details.get("low", middle), answer.details.get("high", middle)
        for number, low, high in zip(numbers, lows, highs, strict=False):
            self.seen += 1
            self.inside += low <= number <= high

    def compute(self) -> dict[str, float]:
        return {"coverage": self.inside / self.seen} if self.seen else {}


def build(config: ForecastConfig, context: HeadContext) -> ForecastHead:
    target = chosen_field("head forecast learns", config.target, KINDS, context.fields)
    return ForecastHead(target, context.fields[target])


def declared(config: ForecastConfig) -> Declaration:
    return Declaration(
        field=config.target, kinds=KINDS, alignment="per_sequence", default_metrics=("coverage",)
    )


def build_coverage(config: Config, context: MetricContext) -> Coverage:
    return Coverage()


HEAD = Component(
    name="forecast", config=ForecastConfig, build=build, declares=declared, summary="numbers with intervals"
)


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]


@hookimpl
def seqlab_register_metrics() -> list[Component[Any]]:
    return [
        Component(name="coverage", config=Config, build=build_coverage, summary="numbers in their intervals")
    ]
