"""What the featurizers of whole words share: a field's words, numbered by a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from seqlab.builtin.core.learned import distinct_strings
from seqlab.builtin.core.vocabulary import Vocabulary
from seqlab.engine import Column

__all__ = ["WordFeaturizer", "numbered"]


def numbered(values: Sequence[Sequence[str]], number: Callable[[str], int]) -> Column:
    """Make the column of many examples' words; `number` is asked once for each distinct word."""
    words = list(chain.from_iterable(values))
    numbers = {word: number(word) for word in dict.fromkeys(words)}
    rows = torch.tensor([numbers[word] for word in words], dtype=torch.int64)
    return Column(rows, torch.tensor([len(value) for value in values], dtype=torch.int64))


class WordFeaturizer:
    """Words as ids, 0 for those that the training split does not hold often enough.

    `make` is given the size of the vocabulary and returns the module that reads the ids.
    """

    def __init__(
        self, field: str, make: Callable[[int], nn.Module], *, min_count: int, lowercase: bool
    ) -> None:
        self.field = field
        self.make = make
        self.min_count = min_count
        self.lowercase = lowercase
        self.vocabulary = Vocabulary()

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        """Learn the words that the training split holds often enough."""
        words = (word for value in values for word in self._spelt(value))
        self.vocabulary = Vocabulary.counted(words, noun="words", min_count=self.min_count)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"words": self.vocabulary.symbols}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.vocabulary = Vocabulary(distinct_strings(state, "words"))

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        """Return the ids of many examples' words."""
        spelt = str.lower if self.lowercase else str
        return numbered(values, lambda word: self.vocabulary.number(spelt(word)))

    def module(self) -> nn.Module:
        """Make the module for the fitted vocabulary."""
        return self.make(len(self.vocabulary))

    def _spelt(self, words: Sequence[str]) -> Iterable[str]:
        return map(str.lower, words) if self.lowercase else words
