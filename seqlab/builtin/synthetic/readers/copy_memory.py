"""The copy-memory task: remember some symbols over a long lag, then say them again.

The task goes back to Hochreiter and Schmidhuber (1997); its rows are those of Arjovsky, Shah and Bengio
(2016, section 5.1). A sequence has `length` symbols, `lag` rows between (blanks, the last of them the
signal), and `length` blanks; its labels are blanks up to the last `length` rows, which carry the symbols in
their order:

    tokens  a3 a1  _  _  _  _ go  _  _          length 2, lag 5
    labels   _  _  _  _  _  _  _ a3 a1

So every symbol is asked for `length + lag` steps after it was read, and nothing but memory helps.

A data file (`.copy`) says which sequences there are, one line each: `generate NAME COUNT` draws so many, and
a line of symbols (`a3 a1`) is one. What is drawn follows from the seed and the NAME alone, so splits of other
names hold other sequences, and a run's fingerprints of its files hold as for any data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.api import DataError, Example, Place, ReaderContext
from seqlab.textfile import byte_lines, decode, file_name

__all__ = ["BLANK", "FIELD", "SIGNAL", "CopyMemoryReader"]

BLANK = "_"
SIGNAL = "go"
FIELD = "copy"
"""The label field."""

GENERATE = "generate"
COMMENT = "#"


class CopyMemoryReader:
    """Makes sequences of `2 * length + lag` rows with the fields `tokens` and `copy`.

    The symbols are named `a0`, `a1` and so on, as many as `symbols` says. A line that is neither of the two
    kinds goes to `refuse`; DataError where the file holds no sequence.
    """

    suffixes: tuple[str, ...] = (".copy",)
    fields: Mapping[str, str] = {"tokens": "tokens", FIELD: "labels"}

    def __init__(
        self,
        symbols: int,
        length: int,
        lag: int,
        *,
        seed: int = 1,
        refuse: Callable[[DataError], None] | None = None,
    ) -> None:
        self.symbols = tuple(f"a{number}" for number in range(symbols))
        self.length = length
        self.lag = lag
        self.seed = seed
        self.refuse = refuse or ReaderContext().refuse

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the sequences of a file's lines, in constant memory; comments (`# ...`) are passed over."""
        file = file_name(path)
        empty = True
        for number, raw in enumerate(byte_lines(path), 1):
            place = Place(file, number)
            try:
                remembered = self._sequences(raw, place)
            except DataError as error:
                empty = False
                self.refuse(error)
                continue
            for each in remembered:
                empty = False
                yield self._example(each, place, labelled=labelled)
        if empty:
            raise DataError("no sequences", place=Place(file))

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the line of the symbols; DataError for wrong labels, for which the format has no place."""
        remembered = example.fields["tokens"][: self.length]
        if answers and list(answers.get(FIELD, ())) != self._labels(remembered):
            message = "a line of symbols cannot hold labels other than the right ones; choose tsv or jsonl"
            raise DataError(message, place=example.place)
        return " ".join(remembered) + "\n"

    def _sequences(self, raw: bytes, place: Place) -> Iterable[Sequence[str]]:
        """Return the symbols to remember of each sequence that a line stands for."""
        words = decode(raw, place).split()
        if not words or words[0].startswith(COMMENT):
            return ()
        if words[0] != GENERATE:
            return (self._checked(words, place),)
        if len(words) != 3 or not (words[2].isascii() and words[2].isdigit()) or not int(words[2]):
            message = f"expected '{GENERATE} NAME COUNT' with a count of at least 1, got {' '.join(words)!r}"
            raise DataError(message, place=place)
        # A text as seed gives the same numbers in every version of Python.
        generator = random.Random(f"{self.seed} {words[1]}")
        return (generator.choices(self.symbols, k=self.length) for _ in range(int(words[2])))

    def _checked(self, words: Sequence[str], place: Place) -> Sequence[str]:
        for word in words:
            if word not in self.symbols:
                allowed = f"{self.symbols[0]} to {self.symbols[-1]}, or '{GENERATE} NAME COUNT'"
                raise DataError(f"unknown symbol {word!r}; allowed are {allowed}", place=place)
        if len(words) != self.length:
            raise DataError(f"expected {self.length} symbols, found {len(words)}", place=place)
        return words

    def _example(self, remembered: Sequence[str], place: Place, *, labelled: bool) -> Example:
        between = [BLANK] * (self.lag - 1) + [SIGNAL]
        fields = {"tokens": [*remembered, *between, *[BLANK] * self.length]}
        if labelled:
            fields[FIELD] = self._labels(remembered)
        return Example(fields, place)

    def _labels(self, remembered: Sequence[str]) -> list[str]:
        return [BLANK] * (self.length + self.lag) + list(remembered)
