"""What n-grams are made of: words, or the characters of each word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from seqlab.builtin.text.featurizers.words import numbered
from seqlab.engine import Column

__all__ = ["NgramUnit", "NgramsOfCharacters", "NgramsOfWords"]

GAP = " "
"""Between the words of an n-gram, and at both ends of a word whose characters are read."""


class NgramUnit(Protocol):
    """Reads the n-grams of sequences of words."""

    def ngrams(self, words: Sequence[str]) -> Iterable[str]:
        """Yield the n-grams of one sequence."""

    def encode(self, values: Sequence[Sequence[str]], number: Callable[[str], int]) -> Column:
        """Return the numbers of the n-grams at each word of many sequences."""


@dataclass(frozen=True)
class NgramsOfWords:
    """N-grams of `shortest` to `longest` words; with `once`, each is read once in a sequence."""

    shortest: int
    longest: int
    once: bool

    def ngrams(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the n-grams in the order of their last words."""
        return (ngram for _, _, ngram in self._placed(words))

    def encode(self, values: Sequence[Sequence[str]], number: Callable[[str], int]) -> Column:
        """Return ids (words, orders) of the n-grams that end with each word, shortest first; 0 is none."""
        lengths = [len(words) for words in values]
        ids = np.zeros((sum(lengths), self.longest + 1 - self.shortest), dtype=np.int64)
        start = 0
        for words in values:
            seen = set[int]()
            for place, order, ngram in self._placed(words):
                found = number(ngram)
                if not self.once or found not in seen:
                    ids[start + place, order - self.shortest] = found
                    seen.add(found)
            start += len(words)
        return Column(torch.from_numpy(ids), torch.tensor(lengths, dtype=torch.int64))

    def _placed(self, words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """Yield the place of the last word, the order and the text of each n-gram."""
        for place in range(len(words)):
            for order in range(self.shortest, min(self.longest, place + 1) + 1):
                yield place, order, GAP.join(words[place + 1 - order : place + 1])


@dataclass(frozen=True)
class NgramsOfCharacters:
    """N-grams of `shortest` to `longest` characters within each word, whose ends count as a character each.

    An n-gram is read once in a word. With `once`, a word is read once in a sequence.
    """

    shortest: int
    longest: int
    once: bool

    def ngrams(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the n-grams of each word in turn."""
        for word in dict.fromkeys(words) if self.once else words:
            yield from self._of(word)

    def encode(self, values: Sequence[Sequence[str]], number: Callable[[str], int]) -> Column:
        """Return at each word its row in a table of n-grams' ids; a word that is not read again has row 0."""
        rows: dict[str, int] = {"": 0}  # Row 0 has no n-grams.
        read = [list(self._read(words)) for words in values]
        column = numbered(read, lambda word: rows.setdefault(word, len(rows)))
        ids = [[number(ngram) for ngram in self._of(word)] for word in rows]
        return Column(column.values, column.lengths, Column.of(ids))

    def _read(self, words: Sequence[str]) -> Iterator[str]:
        seen = set[str]()
        for word in words:
            yield "" if self.once and word in seen else word
            seen.add(word)

    def _of(self, word: str) -> Iterable[str]:
        spelt = f"{GAP}{word}{GAP}" if word else ""
        ends = (
            (start, start + order)
            for order in range(self.shortest, self.longest + 1)
            for start in range(len(spelt))
        )
        return dict.fromkeys(spelt[start:end] for start, end in ends if end <= len(spelt))
