"""The contract of metrics."""

from __future__ import annotations

import json
from typing import Any

from seqlab.api import Component, Example, FieldKind, Metric, MetricContext, Place

__all__ = ["check_metric"]

EXAMPLES = tuple(
    Example({"tokens": tokens, "labels": labels}, Place("example.conllu", line))
    for line, (tokens, labels) in enumerate(
        [
            (["The", "dog", "barks"], ["DET", "NOUN", "VERB"]),
            (["Birds", "sing"], ["NOUN", "VERB"]),
            (["A", "cat"], ["DET", "NOUN"]),
        ],
        start=1,
    )
)
FIELDS: dict[str, FieldKind] = {"tokens": "tokens", "labels": "token_labels"}
PREDICTED = (["DET", "NOUN", "NOUN"], ["NOUN", "VERB"], ["DET", "VERB"])


def check_metric(component: Component[Any], **config: Any) -> None:
    """Build a metric and check its contract.

    - It says nothing where nothing was counted, and nothing after a reset.
    - Its figures do not depend on the order of the examples and are the same asked twice.
    - Perfect answers are at least as good as wrong ones by `higher_is_better`.
    - What it learned survives a round trip through JSON.
    """
    context = MetricContext("labels", FIELDS)
    metric: Metric = component.build(component.config(**config), context)
    assert metric.compute() == {}, f"without examples there are figures: {metric.compute()}"
    metric.fit(EXAMPLES[:1])
    learned = json.loads(json.dumps(metric.state()))
    figures = _measure(metric, range(len(EXAMPLES)))
    assert figures, "there are no figures"
    assert metric.compute() == figures, "asked twice, the figures differ"
    assert _measure(metric, reversed(range(len(EXAMPLES)))) == figures, "the order of the examples matters"
    again: Metric = component.build(component.config(**config), context)
    again.restore(learned)
    assert _measure(again, range(len(EXAMPLES))) == figures, (
        "what was learned is lost on its way through JSON"
    )
    _check_direction(metric, next(iter(figures)), figures)
    metric.reset()
    assert metric.compute() == {}, "there are figures after a reset"


def _measure(metric: Metric, order: Any) -> dict[str, float]:
    metric.reset()
    for number in order:
        metric.update(EXAMPLES[number], EXAMPLES[number].fields["labels"], PREDICTED[number])
    return metric.compute()


def _check_direction(metric: Metric, name: str, wrong: dict[str, float]) -> None:
    metric.reset()
    for example in EXAMPLES:
        metric.update(example, example.fields["labels"], example.fields["labels"])
    best, other = metric.compute()[name], wrong[name]
    assert best >= other if metric.higher_is_better else best <= other, (
        f"perfect answers are not the best: {name}"
    )
