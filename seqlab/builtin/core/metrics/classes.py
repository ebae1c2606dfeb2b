"""Metrics of labels, however many an example has: one for the whole, a set of them, or one for each token.

Each counts decisions: a token, or a sequence, with the labels that it should have and those that it was
given. What is missing in the data, None, counts nowhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.api import Answer, Example, Place, did_you_mean, one_of
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.builtin.core.metrics.shares import check_lengths

__all__ = ["F1", "Accuracy", "Calibration", "Confusion", "Decision", "RecallOf", "decisions", "labels_of"]

MOST_LABELS = 20
"""Labels of the largest confusion matrix that is written out; of more, the most frequent confusions are."""

MOST_FREQUENT = 40
"""Confusions that a listing names."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a token or sequence should have, and what it was given, with a probability where there is one."""

    gold: frozenset[str]
    answered: frozenset[str]
    scores: tuple[tuple[str, float], ...] = ()

    @property
    def right(self) -> bool:
        """Whether both are the same."""
        return self.gold == self.answered


def decisions(kind: str, example: Example, gold: Any, answer: Answer) -> Iterator[Decision]:
    """Yield the decisions of one answer of a field of this kind: label, label_set or labels."""
    if kind == "labels":
        check_lengths(example, gold, answer.value)
        scores = answer.score if answer.score is not None else [None] * len(gold)
        for label, found, score in zip(gold, answer.value, scores, strict=True):
            if label is not None:
                yield _decision([label], [found], [score])
    elif gold is not None:
        many = kind == "label_set"
        found = list(answer.value) if many else [answer.value]
        scores = answer.score if many else [answer.score]
        yield _decision(gold if many else [gold], found, scores or [None] * len(found))


def labels_of(kind: str, value: Any) -> Iterable[str]:
    """Return the labels of a value of a field of this kind, without those that are missing."""
    values = (value,) if kind == "label" else value or ()
    return (label for label in values if label is not None)


def _decision(gold: Collection[str], found: Sequence[str], scores: Sequence[float | None]) -> Decision:
    told = [(label, score) for label, score in zip(found, scores, strict=True) if score is not None]
    return Decision(frozenset(gold), frozenset(found), tuple(told))


def _named(labels: Collection[str]) -> str:
    return ", ".join(sorted(labels)) or "(none)"


class Accuracy(LearnsNothing):
    """The share of sequences whose label, or whole set of labels, is right."""

    higher_is_better = True

    def __init__(self, kind: str, text: str | None = None) -> None:
        self.kind = kind
        self.text = text
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.total = 0
        self.wrong: list[tuple[Place, str, Decision]] = []

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example."""
        for decision in decisions(self.kind, example, gold, answer):
            self.total += 1
            if not decision.right:
                shown = example.fields.get(self.text, "") if self.text else ""
                shown = shown if isinstance(shown, str) else " ".join(shown)
                self.wrong.append((example.place, shown, decision))

    def compute(self) -> dict[str, float]:
        """Return the share, in 0..1."""
        right = self.total - len(self.wrong)
        return {"accuracy": right / self.total} if self.total else {}

    def listing(self) -> str:
        """Return what was answered wrongly, the surest mistakes first, equally sure ones by place."""
        lines = [f"{len(self.wrong)} of {self.total} are wrong\n"]
        ordered = sorted(self.wrong, key=lambda each: (-_sureness(each[2]), each[0]))
        for place, text, decision in ordered:
            sure = f"  ({_sureness(decision):.2f})" if decision.scores else ""
            lines.append(f"{place}  {_named(decision.gold)} -> {_named(decision.answered)}{sure}\n")
            if text:
                lines.append(f"    {text}\n")
        return "".join(lines)


def _sureness(decision: Decision) -> float:
    return max((score for _, score in decision.scores), default=0.0)


class F1(LearnsNothing):
    """F1 of each label, and their mean; of sets also F1 over all labels together.

    Labels that occur as gold or as answered count alike; a share whose denominator is 0 counts as 0.
    """

    higher_is_better = True

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.gold: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.right: Counter[str] = Counter()

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example."""
        for decision in decisions(self.kind, example, gold, answer):
            self.gold.update(decision.gold)
            self.answered.update(decision.answered)
            self.right.update(decision.gold & decision.answered)

    def compute(self) -> dict[str, float]:
        """Return `f1_macro`, and for sets `f1_micro`; nothing where no label occurred."""
        labels = self.gold | self.answered
        if not labels:
            return {}
        figures = {"f1_macro": sum(map(self._f1, labels)) / len(labels)}
        if self.kind == "label_set":
            both = self.gold.total() + self.answered.total()
            figures["f1_micro"] = 2 * self.right.total() / both
        return figures

    def listing(self) -> str:
        """Return precision, recall and F1 of each label, the lowest F1 first."""
        labels = sorted(self.gold | self.answered, key=lambda label: (self._f1(label), label))
        width = max((len(label) for label in labels), default=5)
        rows = [f"{'label':{width}}  precision  recall      f1    gold  answered\n"]
        for label in labels:
            right, gold, answered = self.right[label], self.gold[label], self.answered[label]
            precision, recall = right / max(1, answered), right / max(1, gold)
            rows.append(
                f"{label:{width}}  {precision:9.4f}  {recall:6.4f}  {self._f1(label):6.4f}  {gold:6}"
                f"  {answered:8}\n"
            )
        return "".join(rows)

    def _f1(self, label: str) -> float:
        return 2 * self.right[label] / (self.gold[label] + self.answered[label])


class Confusion(LearnsNothing):
    """Which label was taken for which: the number of wrong ones, and the matrix as a text to read."""

    higher_is_better = False

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.counts: Counter[tuple[str, str]] = Counter()

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example."""
        for decision in decisions(self.kind, example, gold, answer):
            self.counts[_named(decision.gold), _named(decision.answered)] += 1

    def compute(self) -> dict[str, float]:
        """Return `errors`, how many are wrong."""
        wrong = sum(count for (gold, answered), count in self.counts.items() if gold != answered)
        return {"errors": float(wrong)} if self.counts else {}

    def listing(self) -> str:
        """Return the matrix, a row for each gold label; of many labels, the most frequent confusions."""
        labels = sorted({label for pair in self.counts for label in pair})
        matrix = self._matrix(labels) if len(labels) <= MOST_LABELS else ""
        wrong = [(pair, count) for pair, count in self.counts.items() if pair[0] != pair[1]]
        ordered = sorted(wrong, key=lambda each: (-each[1], each[0]))[:MOST_FREQUENT]
        lines = [f"{count:6}  {gold} -> {answered}\n" for (gold, answered), count in ordered]
        return f"{matrix}most frequent confusions: times, gold -> answered\n{''.join(lines)}"

    def _matrix(self, labels: Sequence[str]) -> str:
        width = max((len(label) for label in labels), default=4)
        columns = [max(len(label), 5) for label in labels]
        head = "".join(f"  {label:>{size}}" for label, size in zip(labels, columns, strict=True))
        rows = [f"rows: gold, columns: answered\n{'':{width}}{head}\n"]
        for gold in labels:
            counts = (self.counts[gold, answered] for answered in labels)
            cells = "".join(f"  {count:{size}}" for count, size in zip(counts, columns, strict=True))
            rows.append(f"{gold:{width}}{cells}\n")
        return "".join(rows) + "\n"


class Calibration(LearnsNothing):
    """The expected calibration error of Guo, Pleiss, Sun and Weinberger (2017).

    Answers are dealt into `bins` of equal width by their probability; the error is the mean difference
    between the mean probability and the share of right answers in a bin, weighted by the answers in it.
    """

    higher_is_better = False

    def __init__(self, kind: str, bins: int) -> None:
        self.kind = kind
        self.bins = bins
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.found: list[tuple[float, bool]] = []

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count the labels of one example that were answered with a probability."""
        for decision in decisions(self.kind, example, gold, answer):
            self.found.extend((score, label in decision.gold) for label, score in decision.scores)

    def compute(self) -> dict[str, float]:
        """Return `calibration_error`, in 0..1; nothing where no answer had a probability."""
        # Sorted, so that the sum does not depend on the order of the examples.
        gaps = (abs(sure - right) * count for _, count, sure, right in self._filled())
        return {"calibration_error": sum(gaps) / len(self.found)} if self.found else {}

    def listing(self) -> str:
        """Return for each bin how many answers it has, their mean probability, and how many were right."""
        lines = ["probability  answers  mean probability  right\n"]
        for number, count, sure, right in self._filled():
            span = f"{number / self.bins:.2f}-{(number + 1) / self.bins:.2f}"
            lines.append(f"{span:>11}  {count:7}  {sure:16.4f}  {right:.4f}\n")
        return "".join(lines)

    def _filled(self) -> Iterator[tuple[int, int, float, float]]:
        bins: dict[int, list[tuple[float, bool]]] = {}
        for score, right in sorted(self.found):
            bins.setdefault(min(int(score * self.bins), self.bins - 1), []).append((score, right))
        for number, found in sorted(bins.items()):
            scores, rights = zip(*found, strict=True)
            yield number, len(found), sum(scores) / len(found), sum(rights) / len(found)


class RecallOf(LearnsNothing):
    """Recall and precision of one label, and the accuracy among all that have another one.

    Of `oos` these are the out-of-scope recall and the in-scope accuracy of Larson et al. (2019). A label that
    the training split lacks is warned of: it may be misspelt.
    """

    higher_is_better = True

    def __init__(self, kind: str, target: str, label: str) -> None:
        self.kind = kind
        self.target = target
        self.label = label
        self.reset()

    def fit(self, examples: Iterable[Example]) -> None:
        """Look whether there is such a label."""
        labels = {label for each in examples for label in labels_of(self.kind, each.fields.get(self.target))}
        if self.label not in labels:
            none = f"metric recall_of: no {self.target!r} of the training split is {self.label!r}"
            hint = f"{did_you_mean(self.label, labels)}; {one_of(labels)}"
            logging.getLogger(__name__).warning("%s%s", none, hint)

    def reset(self) -> None:
        """Forget all updates."""
        self.gold = self.answered = self.right = self.others = self.right_others = 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example."""
        for decision in decisions(self.kind, example, gold, answer):
            has, given = self.label in decision.gold, self.label in decision.answered
            self.gold += has
            self.answered += given
            self.right += has and given
            self.others += not has
            self.right_others += not has and decision.right

    def compute(self) -> dict[str, float]:
        """Return what can be computed of `LABEL_recall`, `LABEL_precision` and `others_accuracy`."""
        shares = {
            f"{self.label}_recall": (self.right, self.gold),
            f"{self.label}_precision": (self.right, self.answered),
            "others_accuracy": (self.right_others, self.others),
        }
        return {name: right / count for name, (right, count) in shares.items() if count}
