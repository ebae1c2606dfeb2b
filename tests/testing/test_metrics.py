from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from contract import Configs, registered, rows

from seqlab.api import Component, Config, Example, MetricContext
from seqlab.testing import check_metric

TABLE: Configs = {
    "accuracy": [{}],
    "accuracy_unknown": [{}],
    "cer": [{"target": "text"}],
    "label_scores": [{}],
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

    def update(self, example: Example, gold: Sequence[str | None], predicted: Sequence[str]) -> None:
        self.right += sum(a == b for a, b in zip(gold, predicted, strict=True))
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
    def update(self, example: Example, gold: Sequence[str | None], predicted: Sequence[str]) -> None:
        super().update(example, gold, predicted)
        self.total += gold.count(None)


class CountsAnswersToMissingLabels(Good):
    def compute(self) -> dict[str, float]:
        return super().compute() and {**super().compute(), "verbs": self.verbs}

    def reset(self) -> None:
        super().reset()
        self.verbs = 0.0

    def update(self, example: Example, gold: Sequence[str | None], predicted: Sequence[str]) -> None:
        super().update(example, gold, predicted)
        self.verbs += predicted.count("VERB")


class DependsOnTheOrder(Good):
    def update(self, example: Example, gold: Sequence[str | None], predicted: Sequence[str]) -> None:
        super().update(example, gold, predicted)
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

    def update(self, example: Example, gold: Sequence[str], predicted: Sequence[str]) -> None:
        super().update(example, gold, predicted)
        self.wrong += [b for a, b in zip(gold, predicted, strict=True) if a != b]

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

    def update(self, example: Example, gold: Sequence[str], predicted: Sequence[str]) -> None:
        self.wrong = self.wrong if self.total else []
        super().update(example, gold, predicted)


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
        (CountsMissingLabels, "without a gold label there are figures: {'share': 0.0}"),
        (CountsAnswersToMissingLabels, "the answer to a token whose gold label is missing counts"),
        (MistakesItsDirection, "perfect answers are not the best: share"),
        (NeverForgets, "there are figures after a reset"),
        (ListsLines, "the listing is list, not a string"),
        (ForgetsTheLineEnd, "the listing's last line is not ended: 'NOUN VERB'"),
        (ListsOnce, "asked twice, the listings differ"),
        (ListsAtACost, "the listing changes the figures"),
        (ListsTotals, "the listing of wrong answers is that of right ones"),
        (ListsForEver, "the listing holds what was counted before a reset"),
    ],
)
def test_a_broken_metric_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_metric(component(broken))
