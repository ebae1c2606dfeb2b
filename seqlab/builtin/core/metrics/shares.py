"""The share of right answers: of tokens with the right label, of sequences in which all are right.

Where the gold label is None, the data has none, and the token counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import eq
from typing import TypeAlias

from seqlab.api import Answer, Example
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.builtin.core.metrics.mistakes import Mistakes

__all__ = ["Gold", "Share", "check_lengths", "right_sentences", "right_tokens"]

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

    def update(self, example: Example, gold: Gold, answer: Answer) -> None:
        """Count one example; labels of unequal number are a ValueError."""
        predicted = answer.value
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


def check_lengths(example: Example, gold: Gold, predicted: Sequence[str]) -> None:
    """Raise ValueError where an example has not one predicted label for each gold one."""
    if len(gold) != len(predicted):
        raise ValueError(f"{example.place}: {len(predicted)} predicted labels for {len(gold)} gold labels")
