"""Metrics of token labels: all count example by example and divide once, at the end.

Where the gold label is None, the data has none, and the token counts nowhere. Each lists the mistakes among
what it counts; `words` is the field of the tokens that such a list shows, None where the examples have no
tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import eq
from typing import Any, TypeAlias

from seqlab.api import Example
from seqlab.builtin.core.learned import distinct_strings
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.builtin.core.metrics.mistakes import Mistakes

__all__ = ["AccuracyUnknown", "LabelScores", "Share", "right_sentences", "right_tokens"]

Gold: TypeAlias = Sequence[str | None]

Count = Callable[[int, int], tuple[int, int]]
"""From how many labels of one example are right, and how many there are, to what they count for."""


def right_tokens(right: int, labels: int) -> tuple[int, int]:
    """Count tokens with the right label."""
    return right, labels


def right_sentences(right: int, labels: int) -> tuple[int, int]:
    """Count the example as one where every label is right; an example without labels does not count."""
    return int(0 < labels == right), int(labels > 0)


class Share(LearnsNothing):
    """The share of what is right among what `count` counts, under the figure's `name`."""

    higher_is_better = True

    def __init__(self, name: str, count: Count, words: str | None = None) -> None:
        self.name = name
        self.count = count
        self.words = words
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.right = self.total = 0
        self.mistakes = Mistakes(self.words)

    def update(self, example: Example, gold: Gold, predicted: Sequence[str]) -> None:
        """Count one example; labels of unequal number are a ValueError."""
        check_lengths(example, gold, predicted)
        right, total = self.count(sum(map(eq, gold, predicted)), len(gold) - gold.count(None))
        self.right += right
        self.total += total
        self.mistakes.add(example, gold, predicted)

    def compute(self) -> dict[str, float]:
        """Return the share, in 0..1."""
        return {self.name: self.right / self.total} if self.total else {}

    def listing(self) -> str:
        """Return the wrong labels: frequent confusions, then sentence by sentence."""
        return self.mistakes.report()


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

    def update(self, example: Example, gold: Gold, predicted: Sequence[str]) -> None:
        """Count the unknown words of one example; labels of unequal number are a ValueError."""
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

    def update(self, example: Example, gold: Gold, predicted: Sequence[str]) -> None:
        """Count one example; labels of unequal number are a ValueError."""
        check_lengths(example, gold, predicted)
        for label, answer in zip(gold, predicted, strict=True):
            if label is not None:
                self.gold[label] += 1
                self.predicted[answer] += 1
                self.right[label] += label == answer
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


def check_lengths(example: Example, gold: Gold, predicted: Sequence[str]) -> None:
    """Raise ValueError where an example has not one predicted label for each gold one."""
    if len(gold) != len(predicted):
        raise ValueError(f"{example.place}: {len(predicted)} predicted labels for {len(gold)} gold labels")
