"""A vocabulary: the symbols of a training split, numbered; everything else is the unknown symbol, 0."""

from __future__ import annotations

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
    def counted(cls, stream: Iterable[str], *, min_count: int = 1) -> Vocabulary:
        """Hold the symbols that occur at least `min_count` times, most frequent first, ties sorted."""
        counts = Counter(stream)
        frequent = [symbol for symbol, count in counts.items() if count >= min_count]
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
