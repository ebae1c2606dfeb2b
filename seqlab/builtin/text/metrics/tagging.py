"""Metrics of token labels: all count example by example and divide once, at the end.

Where the gold label is None, the data has none, and the token counts nowhere. Each lists the mistakes among
what it counts; `words` is the field of the tokens that such a list shows, None where the examples have no
tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from seqlab.api import Answer, Example
from seqlab.builtin.core.learned import distinct_strings
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.builtin.core.metrics.mistakes import Mistakes
from seqlab.builtin.core.metrics.shares import Gold, check_lengths

__all__ = ["AccuracyUnknown", "LabelScores"]


class AccuracyUnknown:
    """Share of right labels among words that never occur, letter for letter, in the training split."""

    higher_is_better = True

    def __init__(self, field: str = "tokens") -> None:
        self.field = field
        self.known: frozenset[str] | None = None
        self.reset()

    def fit(self, examples: Iterable[Example]) -> None:
        """Learn the words of the training split."""
        self.known = frozenset(word for example in examples for word in example.fields[self.field])

    def state(self) -> dict[str, Any]:
        """Return the known words, sorted."""
        return {"known": sorted(self._known())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back the known words."""
        self.known = frozenset(distinct_strings(state, "known"))

    def reset(self) -> None:
        """Forget all updates, not the known words."""
        self.mistakes = Mistakes(self.field)

    def update(self, example: Example, gold: Gold, answer: Answer) -> None:
        """Count the unknown words of one example; labels of unequal number are a ValueError."""
        predicted = answer.value
        check_lengths(example, gold, predicted)
        known = self._known()
        pairs = zip(example.fields[self.field], gold, strict=True)
        unknown = [
            place for place, (word, label) in enumerate(pairs) if word not in known and label is not None
        ]
        self.mistakes.add(example, gold, predicted, among=unknown)

    def compute(self) -> dict[str, float]:
        """Return the share, in 0..1; nothing where every word was known."""
        wrong, total = self.mistakes.wrong, self.mistakes.labels
        return {"accuracy_unknown": (total - wrong) / total} if total else {}

    def listing(self) -> str:
        """Return the wrong labels of unknown words: frequent confusions, then sentence by sentence."""
        return f"among words that the training split does not hold:\n\n{self.mistakes.report()}"

    def _known(self) -> frozenset[str]:
        if self.known is None:
            raise ValueError("accuracy_unknown does not know the training words: call fit or restore first")
        return self.known


class LabelScores(LearnsNothing):
    """Precision, recall and F1 of each label that occurs as gold or as predicted, and the mean F1.

    A share whose denominator is 0 counts as 0: the precision of a label never predicted, the recall of one
    that is never gold. `f1_macro` weights all labels alike, those that only occur as predicted included.
    """

    higher_is_better = True

    def __init__(self, words: str | None = None) -> None:
        self.words = words
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.gold: Counter[str] = Counter()
        self.predicted: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.mistakes = Mistakes(self.words)

    def update(self, example: Example, gold: Gold, answer: Answer) -> None:
        """Count one example; labels of unequal number are a ValueError."""
        predicted = answer.value
        check_lengths(example, gold, predicted)
        for label, other in zip(gold, predicted, strict=True):
            if label is not None:
                self.gold[label] += 1
                self.predicted[other] += 1
                self.right[label] += label == other
        self.mistakes.add(example, gold, predicted)

    def compute(self) -> dict[str, float]:
        """Return `f1_macro`, then `LABEL.precision`, `LABEL.recall` and `LABEL.f1`, labels sorted."""
        labels = sorted(self.gold | self.predicted)
        if not labels:
            return {}
        scores: dict[str, float] = {}
        for label in labels:
            right, gold, predicted = self.right[label], self.gold[label], self.predicted[label]
            scores[f"{label}.precision"] = right / predicted if predicted else 0.0
            scores[f"{label}.recall"] = right / gold if gold else 0.0
            scores[f"{label}.f1"] = 2 * right / (gold + predicted)
        f1_macro = sum(scores[f"{label}.f1"] for label in labels) / len(labels)
        return {"f1_macro": f1_macro, **scores}

    def listing(self) -> str:
        """Return the wrong labels: frequent confusions, then sentence by sentence."""
        return self.mistakes.report()
