"""The contract of metrics, whatever kind of answer they judge."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.api import Answer, Component, Example, FieldKind, Metric, MetricContext
from seqlab.suggest import one_of
from seqlab.testing.kinds import fields_of, known_kinds, sample_examples, wrong_answers

__all__ = ["check_metric"]

SCORE = 0.9
"""How sure the answers are, or each part of them is."""


def check_metric(
    component: Component[Any],
    kinds: Iterable[FieldKind[Any]] = (),
    *,
    target: str | None = None,
    **config: Any,
) -> None:
    """Build a metric and check its contract with answers of one kind of field.

    `target` names that kind: one of seqlab's, or of `kinds` of the caller's. By default it is one that the
    metric declares, or else one that people annotate: of several, one that does so part by part. The reader
    that the metric is told of has one field of each kind, with the kind's own name. Gold values are the
    kind's `samples`, wrong answers its `wrong` ones, or samples in another order.

    - It says nothing where nothing was counted, and nothing after a reset.
    - Its figures do not depend on the order of the examples and are the same asked twice.
    - What is missing in a gold value counts nowhere, whatever is answered: neither whole values nor, where a
      value may lack some of its parts, these.
    - Perfect answers are at least as good as wrong ones by `higher_is_better`.
    - Answers may have scores, one for all or one for each part, or none.
    - What it learned survives a round trip through JSON.
    - A `listing`, where it has one, is a text whose last line is ended, of what was counted since the reset
      and nothing else; it shows the errors, is the same asked twice, and leaves the figures as they are.
    """
    settings = component.config(**config)
    known = known_kinds(kinds)
    kind = known[_chosen(target, component.declares(settings).kinds, known)]
    assert kind.samples, f"field kind {kind.name!r} has no samples to check a metric with"
    context = MetricContext(kind.name, fields_of(known))
    case = _Case(component.build(settings, context), kind, sample_examples(kind, known))
    metric = case.metric
    assert metric.compute() == {}, f"without examples there are figures: {metric.compute()}"
    metric.fit(case.examples[:1])
    learned = json.loads(json.dumps(metric.state()))
    figures = case.wrong()
    assert figures, "there are no figures"
    assert metric.compute() == figures, "asked twice, the figures differ"
    for counted in _orders(case.wrongly()):
        assert _close(case.measure(counted), figures), "the order of the examples matters"
    again = _Case(component.build(settings, context), kind, case.examples)
    again.metric.restore(learned)
    assert again.wrong() == figures, "what was learned is lost on its way through JSON"
    _check_direction(case, figures)
    if listing := getattr(metric, "listing", None):
        _check_listing(case, listing)
    metric.reset()
    assert metric.compute() == {}, "there are figures after a reset"
    case.measure((example, case.gold(example), Answer(case.gold(example))) for example in case.examples)
    if kind.lacking:
        _check_missing(case)
        _check_missing_parts(case)
        _check_missing_among_others(case)


def _chosen(target: str | None, declared: Sequence[str] | None, known: Mapping[str, FieldKind[Any]]) -> str:
    """Return the kind that is named, or else the first that the metric can judge."""
    if target is not None:
        assert target in known, f"the target is {target!r}; {one_of(known)}"
        return target
    allowed = [name for name, kind in known.items() if (name in declared if declared else kind.annotation)]
    assert allowed, f"the metric declares the kinds {declared}; {one_of(known)}"
    return min(allowed, key=lambda name: known[name].along is None)


Counted = tuple[Example, Any, Answer]
"""What a metric is updated with: an example, its gold value, and the answer."""


@dataclass(frozen=True)
class _Case:
    """A metric with examples; the target field is called as its kind is."""

    metric: Metric
    kind: FieldKind[Any]
    examples: Sequence[Example]

    def gold(self, example: Example) -> Any:
        return example.fields[self.kind.name]

    def measure(self, counted: Iterable[Counted]) -> dict[str, float]:
        """Return the figures of these answers, and of nothing before."""
        self.metric.reset()
        for each in counted:
            self.metric.update(*each)
        return self.metric.compute()

    def wrongly(self) -> list[Counted]:
        """Return all examples with answers some of which are wrong."""
        pairs = zip(self.examples, wrong_answers(self.kind), strict=False)
        return [(example, self.gold(example), _answer(value)) for example, value in pairs]

    def wrong(self) -> dict[str, float]:
        return self.measure(self.wrongly())

    def perfect(self) -> dict[str, float]:
        return self.measure(
            (example, self.gold(example), _answer(self.gold(example))) for example in self.examples
        )


def _answer(value: Any) -> Answer:
    """Return an answer with its score; one that has parts has as many scores."""
    whole = isinstance(value, str) or not hasattr(value, "__len__")
    return Answer(value, SCORE if whole else (SCORE,) * len(value))


def _orders(counted: list[Counted]) -> Iterator[list[Counted]]:
    """Yield them backwards, and with each of them as the first."""
    yield counted[::-1]
    for start in range(1, len(counted)):
        yield [*counted[start:], *counted[:start]]


def _close(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Compare figures within what summing in another order may make."""
    same = (math.isclose(one[name], other[name], rel_tol=1e-9, abs_tol=1e-12) for name in one.keys() & other)
    return one.keys() == other.keys() and all(same)


def _check_direction(case: _Case, wrong: Mapping[str, float]) -> None:
    name = next(iter(wrong))
    best, other = case.perfect()[name], wrong[name]
    assert best >= other if case.metric.higher_is_better else best <= other, (
        f"perfect answers are not the best: {name}"
    )


def _check_listing(case: _Case, listing: Callable[[], object]) -> None:
    case.perfect()
    of_right_answers = listing()
    case.metric.reset()
    blank = listing()
    figures = case.wrong()
    text = listing()
    assert isinstance(text, str), f"the listing is {type(text).__name__}, not a string"
    assert text.endswith("\n"), f"the listing's last line is not ended: {text[-20:]!r}"
    assert listing() == text, "asked twice, the listings differ"
    assert case.metric.compute() == figures, "the listing changes the figures"
    assert text != of_right_answers, "the listing of wrong answers is that of right ones"
    case.metric.reset()
    assert listing() == blank, "the listing holds what was counted before a reset"


def _lacking(case: _Case) -> list[Counted]:
    """Return all examples, of which the gold value is missing, with answers."""
    pairs = zip(case.wrongly(), case.kind.lacking, strict=False)
    return [(example, missing, answer) for (example, _, answer), missing in pairs]


def _check_missing(case: _Case) -> None:
    figures = case.measure(_lacking(case))
    assert figures == {}, f"without a gold value there are figures: {figures}"


def _check_missing_among_others(case: _Case) -> None:
    others = case.wrongly()[:-1]
    missing = _lacking(case)[-1]
    assert case.measure([*others, missing]) == case.measure(others), "an example without a gold value counts"


def _check_missing_parts(case: _Case) -> None:
    """Have the last part of each gold value missing, and answer it with one part after the other."""
    golds = [case.gold(example) for example in case.examples]
    pairs = list(zip(golds, case.kind.lacking, strict=False))
    if not all(_has_parts(gold) and _has_parts(missing) for gold, missing in pairs):
        return
    partly = [[*gold[:-1], missing[-1]] for gold, missing in pairs]
    found = [
        case.measure(
            (example, gold, _answer([*gold[:-1], part]))
            for example, gold in zip(case.examples, partly, strict=True)
        )
        for part in _parts(golds)
    ]
    assert all(figures == found[0] for figures in found), (
        "the answer to a part whose gold value is missing counts"
    )


def _has_parts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0


def _parts(values: Iterable[Sequence[Any]]) -> Iterator[Any]:
    """Yield every part that occurs, once."""
    seen: list[Any] = []
    for part in (part for value in values for part in value):
        if part not in seen:
            seen.append(part)
            yield part
