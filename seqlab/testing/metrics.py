"""The contract of metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqlab.api import Component, Example, FieldKind, Metric, MetricContext, Place

__all__ = ["check_metric"]

EXAMPLES = tuple(
    Example({"tokens": text.split(), "labels": labels, "text": text}, Place("example.conllu", line))
    for line, (text, labels) in enumerate(
        [
            ("The dog barks", ["DET", "NOUN", "VERB"]),
            ("Birds sing", ["NOUN", "VERB"]),
            ("A cat", ["DET", "NOUN"]),
        ],
        start=1,
    )
)
FIELDS: dict[str, FieldKind] = {"tokens": "tokens", "labels": "token_labels", "text": "text"}
PREDICTED: Mapping[str, Sequence[Any]] = {
    "labels": (["DET", "NOUN", "NOUN"], ["NOUN", "VERB"], ["DET", "VERB"]),
    "text": ("The dog", "Birds sing", "A cat sat"),
}
"""Answers by target field, some of them wrong."""


def check_metric(component: Component[Any], *, target: str = "labels", **config: Any) -> None:
    """Build a metric of token labels, or with the target `text` of texts, and check its contract.

    - It says nothing where nothing was counted, and nothing after a reset.
    - Its figures do not depend on the order of the examples and are the same asked twice.
    - A missing label, None in place of the gold one, counts nowhere, whatever is answered.
    - Perfect answers are at least as good as wrong ones by `higher_is_better`.
    - What it learned survives a round trip through JSON.
    - A `listing`, where it has one, is a text whose last line is ended, of what was counted since the reset
      and nothing else; it shows the errors, is the same asked twice, and leaves the figures as they are.
    """
    context = MetricContext(target, FIELDS)
    metric: Metric = component.build(component.config(**config), context)
    assert metric.compute() == {}, f"without examples there are figures: {metric.compute()}"
    metric.fit(EXAMPLES[:1])
    learned = json.loads(json.dumps(metric.state()))
    figures = _measure(metric, target, EXAMPLES)
    assert figures, "there are no figures"
    assert metric.compute() == figures, "asked twice, the figures differ"
    assert _measure(metric, target, EXAMPLES[::-1]) == figures, "the order of the examples matters"
    again: Metric = component.build(component.config(**config), context)
    again.restore(learned)
    assert _measure(again, target, EXAMPLES) == figures, "what was learned is lost on its way through JSON"
    _check_direction(metric, target, figures)
    if listing := getattr(metric, "listing", None):
        _check_listing(metric, listing, target)
    metric.reset()
    assert metric.compute() == {}, "there are figures after a reset"
    if FIELDS[target] == "token_labels":
        _check_missing(metric, target)


def _measure(metric: Metric, target: str, examples: Sequence[Example]) -> dict[str, float]:
    metric.reset()
    for example in examples:
        metric.update(example, example.fields[target], PREDICTED[target][EXAMPLES.index(example)])
    return metric.compute()


def _measure_perfect(metric: Metric, target: str) -> dict[str, float]:
    metric.reset()
    for example in EXAMPLES:
        metric.update(example, example.fields[target], example.fields[target])
    return metric.compute()


def _check_listing(metric: Metric, listing: Callable[[], object], target: str) -> None:
    _measure_perfect(metric, target)
    of_right_answers = listing()
    metric.reset()
    blank = listing()
    figures = _measure(metric, target, EXAMPLES)
    text = listing()
    assert isinstance(text, str), f"the listing is {type(text).__name__}, not a string"
    assert text.endswith("\n"), f"the listing's last line is not ended: {text[-20:]!r}"
    assert listing() == text, "asked twice, the listings differ"
    assert metric.compute() == figures, "the listing changes the figures"
    assert text != of_right_answers, "the listing of wrong answers is that of right ones"
    metric.reset()
    assert listing() == blank, "the listing holds what was counted before a reset"


def _check_missing(metric: Metric, target: str) -> None:
    metric.reset()
    for example in EXAMPLES:
        metric.update(example, [None] * len(example.fields[target]), example.fields[target])
    assert metric.compute() == {}, f"without a gold label there are figures: {metric.compute()}"
    found = []
    for answer in ("NOUN", "VERB"):
        metric.reset()
        for example in EXAMPLES:
            gold = example.fields[target]
            metric.update(example, [*gold[:-1], None], [*gold[:-1], answer])
        found.append(metric.compute())
    assert found[0] == found[1], "the answer to a token whose gold label is missing counts"


def _check_direction(metric: Metric, target: str, wrong: dict[str, float]) -> None:
    name = next(iter(wrong))
    best, other = _measure_perfect(metric, target)[name], wrong[name]
    assert best >= other if metric.higher_is_better else best <= other, (
        f"perfect answers are not the best: {name}"
    )
