"""A vocabulary: the symbols of a training split, numbered; everything else is the unknown symbol, 0."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

__all__ = ["UNKNOWN", "Vocabulary"]

UNKNOWN = 0
"""The id of every symbol that the vocabulary does not hold."""


class Vocabulary:
    """Symbols numbered from 1; `len` counts the unknown symbol, too."""

    def __init__(self, symbols: Iterable[str] = ()) -> None:
        self.symbols = list(symbols)
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols, start=1)}

    @classmethod
    def counted(cls, stream: Iterable[str], *, min_count: int = 1, noun: str = "symbols") -> Vocabulary:
        """Hold the symbols that occur at least `min_count` times, most frequent first, ties sorted.

        That none does is logged as a warning; `noun` says what the symbols are.
        """
        counts = Counter(stream)
        frequent = [symbol for symbol, count in counts.items() if count >= min_count]
        if counts and not frequent:
            ((symbol, most),) = counts.most_common(1)
            logging.getLogger(__name__).warning(
                "min_count %d leaves none of the training split's %d %s: the most frequent one, %r, occurs"
                " %d times; all are unknown to the model",
                min_count,
                len(counts),
                noun,
                symbol,
                most,
            )
        return cls(sorted(frequent, key=lambda symbol: (-counts[symbol], symbol)))

    def __len__(self) -> int:
        return len(self.symbols) + 1

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._ids

    def number(self, symbol: str) -> int:
        """Return the id of a symbol."""
        return self._ids.get(symbol, UNKNOWN)

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """Return the id of each symbol."""
        ids = self._ids
        return [ids.get(symbol, UNKNOWN) for symbol in symbols]
