from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from contract import Configs, registered, rows

from seqlab.api import Answer, Component, Config, Declaration, Example, FieldKind, MetricContext
from seqlab.testing import check_metric

TABLE: Configs = {
    "accuracy": [{}, {"target": "label"}, {"target": "label_set"}],
    "accuracy_unknown": [{}],
    "bits_per_character": [{}],
    "calibration": [{}, {"target": "label"}, {"target": "label_set", "bins": 3}],
    "cer": [{"target": "text"}],
    "confusion": [{}, {"target": "label"}],
    "f1": [{}, {"target": "label"}, {"target": "label_set"}],
    "label_scores": [{}],
    "perplexity": [{}],
    "recall_of": [
        {"label": "NOUN"},
        {"target": "label", "label": "good"},
        {"target": "label_set", "label": "news"},
    ],
    "sentence_accuracy": [{}],
    "wer": [{"target": "text"}],
}


def test_every_built_in_metric_stands_in_the_table() -> None:
    assert registered("metric").keys() == TABLE.keys()


@pytest.mark.parametrize(("component", "config"), rows("metric", TABLE))
def test_built_in_metrics_keep_the_contract(component: Component[Any], config: dict[str, Any]) -> None:
    check_metric(component, **config)


class Good:
    """The share of right labels, weighted by what training knows."""

    higher_is_better = True

    def __init__(self) -> None:
        self.weight = 0
        self.reset()

    def fit(self, examples: Iterable[Example]) -> None:
        self.weight = len(list(examples)) + 1

    def state(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.weight = state["weight"]

    def reset(self) -> None:
        self.right = self.total = 0

    def update(self, example: Example, gold: Sequence[str | None], answer: Answer) -> None:
        self.right += sum(a == b for a, b in zip(gold, answer.value, strict=True))
        self.total += len(gold) - gold.count(None)

    def compute(self) -> dict[str, float]:
        return {"share": self.weight * self.right / self.total} if self.total else {}


class SpeaksOfNothing(Good):
    def compute(self) -> dict[str, float]:
        return super().compute() or {"share": 0.0}


class SaysNothing(Good):
    def compute(self) -> dict[str, float]:
        return {}


class CountsMissingLabels(Good):
    def update(self, example: Example, gold: Sequence[str | None], answer: Answer) -> None:
        super().update(example, gold, answer)
        self.total += gold.count(None)


class CountsAnswersToMissingLabels(Good):
    def compute(self) -> dict[str, float]:
        return super().compute() and {**super().compute(), "verbs": self.verbs}

    def reset(self) -> None:
        super().reset()
        self.verbs = 0.0

    def update(self, example: Example, gold: Sequence[str | None], answer: Answer) -> None:
        super().update(example, gold, answer)
        self.verbs += answer.value.count("VERB")


class DependsOnTheOrder(Good):
    def update(self, example: Example, gold: Sequence[str | None], answer: Answer) -> None:
        super().update(example, gold, answer)
        self.right += self.total * gold.count("NOUN")


class CountsQuestions(Good):
    def compute(self) -> dict[str, float]:
        figures = super().compute()
        self.right += 1
        return figures


class ForgetsWhatItLearned(Good):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.weight = 1


class MistakesItsDirection(Good):
    higher_is_better = False


class NeverForgets(Good):
    """Starts afresh in the middle of its examples only; what it holds at the end survives a reset."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, float] = {}

    def reset(self) -> None:
        super().reset()

    def compute(self) -> dict[str, float]:
        self.kept = super().compute() or self.kept
        return self.kept


class Lists(Good):
    """Lists the wrong labels."""

    def reset(self) -> None:
        super().reset()
        self.wrong: list[str] = []

    def update(self, example: Example, gold: Sequence[str], answer: Answer) -> None:
        super().update(example, gold, answer)
        self.wrong += [b for a, b in zip(gold, answer.value, strict=True) if a != b]

    def listing(self) -> Any:
        return f"{len(self.wrong)} wrong: {' '.join(self.wrong)}\n"


class ListsLines(Lists):
    def listing(self) -> Any:
        return self.wrong


class ForgetsTheLineEnd(Lists):
    def listing(self) -> Any:
        return " ".join(self.wrong)


class ListsOnce(Lists):
    def listing(self) -> Any:
        text, self.wrong = super().listing(), []
        return text


class ListsAtACost(Lists):
    def listing(self) -> Any:
        self.right = 0
        return super().listing()


class ListsTotals(Lists):
    def listing(self) -> Any:
        return f"{self.total} labels\n"


class ListsForEver(Lists):
    """Empties its list when examples come, not when it is told to."""

    def reset(self) -> None:
        wrong = getattr(self, "wrong", [])
        super().reset()
        self.wrong = wrong

    def update(self, example: Example, gold: Sequence[str], answer: Answer) -> None:
        self.wrong = self.wrong if self.total else []
        super().update(example, gold, answer)


def component(made: type[Good]) -> Component[Any]:
    def build(config: Config, context: MetricContext) -> Good:
        return made()

    return Component(name="mine", config=Config, build=build, summary="for the tests")


@pytest.mark.parametrize("kept", [Good, Lists])
def test_a_metric_that_keeps_the_contract_passes(kept: type[Good]) -> None:
    check_metric(component(kept))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (SpeaksOfNothing, "without examples there are figures: {'share': 0.0}"),
        (SaysNothing, "there are no figures"),
        (DependsOnTheOrder, "the order of the examples matters"),
        (CountsQuestions, "asked twice, the figures differ"),
        (ForgetsWhatItLearned, "what was learned is lost on its way through JSON"),
        (CountsMissingLabels, "without a gold value there are figures: {'share': 0.0}"),
        (CountsAnswersToMissingLabels, "the answer to a part whose gold value is missing counts"),
        (MistakesItsDirection, "perfect answers are not the best: share"),
        (NeverForgets, "there are figures after a reset"),
        (ListsLines, "the listing is list, not a string"),
        (ForgetsTheLineEnd, "the listing's last line is not ended: 'NOUN NOUN VERB'"),
        (ListsOnce, "asked twice, the listings differ"),
        (ListsAtACost, "the listing changes the figures"),
        (ListsTotals, "the listing of wrong answers is that of right ones"),
        (ListsForEver, "the listing holds what was counted before a reset"),
    ],
)
def test_a_broken_metric_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_metric(component(broken))


# --- one answer for the whole, of whatever kind ---------------------------------------------------------


class Exact(Good):
    """The share of answers that are right as a whole."""

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        if gold is not None:
            self.total += 1
            self.right += gold == answer.value


class CountsMissingValues(Exact):
    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        super().update(example, gold, answer)
        self.total += gold is None


class CountsMissingValuesAmongOthers(Exact):
    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        super().update(example, gold, answer)
        self.total += gold is None and self.total > 0


class NeedsScores(Exact):
    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        super().update(example, gold, answer)
        assert answer.score is not None, "no score"


class CountsErrors(Exact):
    """The share of wrong answers, which is best where it is low; it says the contrary."""

    def compute(self) -> dict[str, float]:
        return {name: self.weight - share for name, share in super().compute().items()}


class SaysNothingOfValues(Exact):
    def compute(self) -> dict[str, float]:
        return {}


class HoldsTheLast(Exact):
    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        if gold is not None:
            self.total, self.right = 1, int(gold == answer.value)


KINDS = ("label", "label_set", "number", "series", "text", "tokens", "vector", "frames", "image")


@pytest.mark.parametrize("target", KINDS)
def test_metrics_of_every_kind_are_checked(target: str) -> None:
    check_metric(component(Exact), target=target)
    for broken, message in [
        (SaysNothingOfValues, "there are no figures"),
        (CountsErrors, "perfect answers are not the best: share"),
        (HoldsTheLast, "the order of the examples matters"),
    ]:
        with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
            check_metric(component(broken), target=target)


@pytest.mark.parametrize("target", ["label", "label_set", "number"])
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (CountsMissingValues, "without a gold value there are figures: {'share': 0.0}"),
        (CountsMissingValuesAmongOthers, "an example without a gold value counts"),
        (NeedsScores, "no score"),
    ],
)
def test_a_metric_of_values_that_may_be_missing_is_told_that_it_counts_them(
    broken: type[Good], message: str, target: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_metric(component(broken), target=target)


def test_by_default_a_metric_is_checked_with_a_kind_that_it_declares() -> None:
    found: list[str] = []

    def build(config: Config, context: MetricContext) -> Good:
        found.append(context.target)
        return Exact()

    def declared(*kinds: str) -> Component[Any]:
        return Component(
            name="mine",
            config=Config,
            build=build,
            summary="for the tests",
            declares=lambda config: Declaration(kinds=kinds or None),
        )

    for kinds, target in {
        ("text",): "text",
        ("label", "number"): "label",
        ("tokens", "text"): "text",
    }.items():
        found.clear()
        check_metric(declared(*kinds))
        assert set(found) == {target}


def test_a_target_of_no_known_kind_is_refused() -> None:
    with pytest.raises(
        AssertionError, match=re.escape("the target is 'colour'; one of: audio, frames, image")
    ):
        check_metric(component(Exact), target="colour")


def test_a_metric_of_kinds_that_nobody_knows_is_refused() -> None:
    made = replace(component(Exact), declares=lambda config: Declaration(kinds=("colour",)))
    with pytest.raises(
        AssertionError, match=re.escape("the metric declares the kinds ('colour',); one of: ")
    ):
        check_metric(made)


def test_a_kind_without_samples_cannot_be_checked() -> None:
    class Bare(FieldKind[str]):
        name = "bare"
        summary = "nothing to show"

    with pytest.raises(AssertionError, match="field kind 'bare' has no samples to check a metric with"):
        check_metric(component(Exact), [Bare()], target="bare")


def test_metrics_of_a_stranger_s_kind_are_checked() -> None:
    class Spans(FieldKind[tuple[int, int]]):
        """A stranger's kind, whose samples are wrong answers to each other."""

        name = "span"
        summary = "where something starts and ends"
        samples = ((0, 3), (2, 5), (1, 2), (4, 9), (0, 1))

    check_metric(component(Exact), [Spans()], target="span")
    with pytest.raises(AssertionError, match="perfect answers are not the best: share"):
        check_metric(component(CountsErrors), [Spans()], target="span")
