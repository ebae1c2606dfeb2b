"""Plain text as tokens: characters or words, line by line or a file as one stream."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seqlab.api import DataError, Example, Place
from seqlab.builtin.core.records import text_lines
from seqlab.builtin.core.unicode import UnicodeForm
from seqlab.suggest import shown
from seqlab.textfile import file_name

__all__ = ["LINE_END", "By", "PlainTextReader", "Unit"]

Unit: TypeAlias = Literal["characters", "words"]
By: TypeAlias = Literal["line", "file"]

LINE_END = "\n"
"""The token of a line's end in a stream."""


class PlainTextReader:
    """Text files whose lines, or which as a whole, are examples with one field, `tokens`."""

    suffixes = (".txt", ".txt.gz")
    fields: Mapping[str, str] = {"tokens": "tokens"}

    def __init__(self, *, unit: Unit, by: By, start: str | None, unicode: UnicodeForm | None) -> None:
        self.unit = unit
        self.by = by
        self.unicode = unicode
        self.start = None if start is None else self._normal(start)

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield an example for each line that is not blank, or one for the file; DataError where none is."""
        del labelled
        file, none = file_name(path), True
        for place, text in self._texts(path, file):
            none = False
            yield Example({"tokens": self.tokens(text)}, place, text)
        if none:
            raise DataError("there is no text", place=Place(file))

    def _texts(self, path: Path, file: str) -> Iterator[tuple[Place, str]]:
        lines = text_lines(path, file)
        if self.by == "line":
            yield from ((place, line) for place, line in lines if line.strip())
            return
        text = "".join(f"{line}{LINE_END}" for _, line in lines)
        if text.strip():
            yield Place(file), text

    def take(self, given: Any) -> Example:
        """Return the example of a text, or of a list of tokens."""
        value = given["tokens"] if isinstance(given, Mapping) and "tokens" in given else given
        if isinstance(value, str):
            return Example({"tokens": self.tokens(value)}, Place("value"))
        if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
            raise TypeError(f"{shown(value)}; give a text, or a list of tokens")
        tokens = list(map(self._normal, value))
        begun = self.start is None or tokens[:1] == [self.start]
        return Example({"tokens": tokens if begun else [self.start, *tokens]}, Place("value"))

    def parse(self, line: str) -> str:
        """Return the line: it is the text."""
        return line

    def tokens(self, text: str) -> list[str]:
        """Cut a text; the token that starts an example stands in front."""
        text = self._normal(text)
        first = [] if self.start is None else [self.start]
        return first + (list(text) if self.unit == "characters" else list(_words(text)))

    def joined(self, tokens: Sequence[str]) -> str:
        """Put tokens together, as they stand in a file; the one that starts an example is left out."""
        rest = tokens[1:] if tokens and tokens[0] == self.start else tokens
        if self.unit == "characters":
            return "".join(rest)
        return "".join(_spaced(rest))

    def _normal(self, text: str) -> str:
        return text if self.unicode is None else unicodedata.normalize(self.unicode, text)


def _words(text: str) -> Iterator[str]:
    """Yield what stands between white space, and the end of each line that has one."""
    for line in text.splitlines(keepends=True):
        yield from line.split()
        if line.endswith(LINE_END):
            yield LINE_END


def _spaced(words: Iterable[str]) -> Iterator[str]:
    before = LINE_END
    for word in words:
        yield word if LINE_END in (word, before) else f" {word}"
        before = word
