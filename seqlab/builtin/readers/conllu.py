"""CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

A sentence is a block of lines closed by an empty line: comments (`# ...`), then one line of ten tab-separated
columns for each word. Lines of multiword tokens (`1-2`) and empty nodes (`1.1`) stand between the words; they
are checked and written back, but hold no token.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from seqlab.api import DataError, Example, FieldKind, Place, did_you_mean, one_of
from seqlab.builtin.readers.lines import BOM, byte_lines, decode, file_name

__all__ = ["COLUMNS", "NO_VALUE", "ConlluReader", "Source"]

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
ID, FORM, LEMMA, FEATS, MISC = (COLUMNS.index(name) for name in ("id", "form", "lemma", "feats", "misc"))

NO_VALUE = "_"
"""Stands in a column that holds nothing; of a FEATS or MISC key that is absent, it is the value."""

SPACELESS = tuple(index for index in range(len(COLUMNS)) if index not in (FORM, LEMMA, MISC))
"""Columns in which UD allows no space."""

MAX_DIGITS = 9
"""More than any id needs; Python refuses to read numbers of thousands of digits."""

EMPTY_LINES = (b"\n", b"\r\n")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a word's value stands: a column, or one key of FEATS or MISC."""

    name: str
    index: int
    key: str = ""

    @classmethod
    def named(cls, name: str) -> Source:
        """Find `upos`, `feats.Number` or `misc.Gloss`; for a wrong name, a ValueError lists the right ones.

        The column `id` is left out: it numbers the words and carries neither text nor labels.
        """
        column, dot, key = name.partition(".")
        if column not in COLUMNS[1:]:
            hint = did_you_mean(column.lower(), ("feats", "misc") if dot else COLUMNS[1:])
            allowed = f"{one_of(COLUMNS[1:])}, feats.KEY, misc.KEY"
            raise ValueError(f"unknown column {name!r}{hint} ({allowed})")
        index = COLUMNS.index(column)
        if dot and index not in (FEATS, MISC):
            raise ValueError(f"{name!r}: column {column!r} has no keys; only feats and misc have")
        if dot and (not key or any(sign in key for sign in "=| \t")):
            raise ValueError(f"{name!r}: {key!r} is no key; write for instance feats.Number")
        return cls(name, index, key)

    def get(self, row: Sequence[str]) -> str:
        """Return the value in a row of ten columns; ill-formed FEATS and doubled keys are a ValueError."""
        column = row[self.index]
        if not self.key or column == NO_VALUE:
            return column
        if self.index == FEATS and column.count("=") != column.count("|") + 1:
            raise ValueError(f"feats {column!r} are not pairs Key=Value separated by |")
        prefix = self.key + "="
        if prefix not in column:
            return NO_VALUE
        found = [item[len(prefix) :] for item in column.split("|") if item.startswith(prefix)]
        if len(found) > 1:
            raise ValueError(f"key {self.key!r} stands twice in {column!r}")
        return found[0] if found else NO_VALUE

    def put(self, row: list[str], value: str) -> None:
        """Write `value` into a row of ten columns; `_` takes a key away, FEATS stay sorted as UD wants it."""
        spaceless = self.index in SPACELESS
        if not value or any(sign in value for sign in ("\t\n\r " if spaceless else "\t\n\r")):
            raise ValueError(f"{value!r} cannot stand in column {self.name!r} of CoNLL-U")
        if not self.key:
            row[self.index] = value
        elif value != self.get(row):  # an unchanged column keeps its order, sorted or not
            row[self.index] = self._with_key(row[self.index], value)

    def _with_key(self, column: str, value: str) -> str:
        if any(sign in value for sign in ("=|" if self.index == FEATS else "|")):
            raise ValueError(f"{value!r} cannot be the value of key {self.name!r}")
        items = [] if column == NO_VALUE else column.split("|")
        kept = [item for item in items if item.partition("=")[0] != self.key]
        if value != NO_VALUE:
            kept.append(f"{self.key}={value}")
        if self.index == FEATS:
            kept.sort(key=lambda item: item.partition("=")[0].lower())
        return "|".join(kept) or NO_VALUE

    def is_missing(self, value: str, form: str) -> bool:
        """Tell whether `_` means that an annotation is lacking.

        In FEATS and MISC it means that there is nothing to say, in FORM and LEMMA of the word `_` itself.
        """
        if value != NO_VALUE or self.index in (FEATS, MISC):
            return not value
        return not (self.index in (FORM, LEMMA) and form == NO_VALUE)


class ConlluReader:
    """Reads CoNLL-U: the column `text` becomes the field `tokens`, each of `labels` a field of its name."""

    suffixes: tuple[str, ...] = (".conllu", ".conllu.gz")

    def __init__(self, text: str = "form", labels: Sequence[str] = ("upos",)) -> None:
        self.text = Source.named(text)
        self.labels = tuple(Source.named(label) for label in labels)
        self.fields: Mapping[str, FieldKind] = {
            "tokens": "tokens",
            **dict.fromkeys(labels, "token_labels"),
        }

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield one example per sentence, in constant memory; `origin` is the sentence's text.

        Plain and gzipped files are told apart by content. A byte order mark and CRLF line ends are taken off.
        """
        file = file_name(path)
        sources = {"tokens": self.text}
        if labelled:
            sources |= {label.name: label for label in self.labels}
        empty = True
        for sentence in sentences(byte_lines(path), file):
            empty = False
            words = sentence.words()
            fields = {name: sentence.values(words, source) for name, source in sources.items()}
            yield Example(fields, sentence.at(0), sentence.text)
        if empty:
            raise DataError("no sentences", place=Place(file))

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the sentence with the labels put into their columns, everything else as it was read."""
        lines = cast("str", example.origin).split("\n")
        words = [index for index, line in enumerate(lines) if line.partition("\t")[0].isdigit()]
        sources = [Source.named(field) for field in answers]
        for source in sources:
            if len(answers[source.name]) != len(words):
                raise ValueError(f"{len(answers[source.name])} labels {source.name!r} for {len(words)} words")
        for index, *values in zip(words, *answers.values(), strict=True):
            row = lines[index].split("\t")
            try:
                for source, value in zip(sources, values, strict=True):
                    source.put(row, value)
            except ValueError as error:
                place = Place(example.place.file, example.place.line + index)
                raise DataError(str(error), place=place) from None
            lines[index] = "\t".join(row)
        return "\n".join(lines) + "\n\n"


# --- from bytes to sentences ---------------------------------------------------------------------------


def sentences(lines: Iterable[bytes], file: str) -> Iterator[Sentence]:
    """Group lines into sentences; more empty lines than the one that closes a sentence do no harm."""
    pending: list[bytes] = []
    number = 0
    for number, line in enumerate(lines, 1):
        raw = line.removeprefix(BOM) if number == 1 else line
        if raw not in EMPTY_LINES:
            if raw:
                pending.append(raw)
        elif pending:
            first = number - len(pending)
            yield Sentence(file, first, decode(b"".join(pending), Place(file, first)))
            pending.clear()
    if pending:
        first = number - len(pending) + 1
        decode(b"".join(pending[:-1]), Place(file, first))  # a file in UTF-16 lands here: say so rather
        raise DataError(
            f"the last sentence, starting at line {first}, is not closed by an empty line: "
            "the file may be cut off; add an empty line if it is whole",
            place=Place(file, number),
        )


# --- from a sentence to words --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A word's ten columns and its line, counted from 0 in the sentence."""

    row: list[str]
    line: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The text of one sentence, whose first line is line `first` of the file."""

    file: str
    first: int
    text: str

    def at(self, line: int) -> Place:
        """Return the place of a line of the sentence, counted from 0."""
        return Place(self.file, self.first + line)

    def fail(self, line: int, message: str) -> NoReturn:
        """Raise DataError for a line of the sentence, counted from 0."""
        raise DataError(message, place=self.at(line))

    def words(self) -> list[Word]:
        """Return the words, after checking columns and ids of every line."""
        lines = self.text.split("\n")
        words: list[Word] = []
        between = Between()
        start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        for index in range(start, len(lines)):
            line = lines[index]
            row = line.split("\t")
            suspicious = len(row) != len(COLUMNS) or "" in row or " " in line
            if suspicious and (problem := line_problem(line, row)):
                self.fail(index, problem)
            if row[ID] == str(len(words) + 1):
                words.append(Word(row, index))
            elif problem := between.problem(row[ID], len(words), index):
                self.fail(index, problem)
        if not words:
            self.fail(0, "sentence without a word")
        if between.end > len(words):
            written = f"multiword range {between.start}-{between.end}"
            self.fail(between.line, f"{written} reaches beyond the last word, {len(words)}")
        return words

    def values(self, words: Sequence[Word], source: Source) -> list[str]:
        """Return one value for each word; a missing one is an error."""
        values = []
        for word in words:
            try:
                value = source.get(word.row)
            except ValueError as error:
                self.fail(word.line, str(error))
            if value == NO_VALUE or not value:
                self._check_missing(word, source, value)
            # One string for all uses of a word or label keeps a corpus in memory small.
            values.append(sys.intern(value))
        return values

    def _check_missing(self, word: Word, source: Source, value: str) -> None:
        if source.is_missing(value, word.row[FORM]):
            message = (
                f"missing {source.name} of {word.row[FORM]!r}: found {value!r}, but every word needs one"
            )
            self.fail(word.line, message)


def line_problem(line: str, row: Sequence[str]) -> str:
    """Say what is wrong with a line after the comments, an empty string where nothing is."""
    if line.startswith("#"):
        return "comment in the middle of a sentence; comments stand before its first word"
    if not line.strip():
        return "a line of blanks does not end a sentence; the line between two sentences must be empty"
    if len(row) != len(COLUMNS):
        hint = "; the line seems to be separated by spaces" if len(row) == 1 and len(line.split()) > 1 else ""
        return f"expected {len(COLUMNS)} columns separated by tabs, found {len(row)}{hint}"
    if not row[FORM]:
        return "empty form; a word without characters cannot be read"
    for index, value in enumerate(row):
        if not value:
            return f"empty column {COLUMNS[index]!r}; write {NO_VALUE} where there is no value"
        if index in SPACELESS and " " in value:
            return f"space in column {COLUMNS[index]!r}: {value!r}; only form, lemma and misc may hold one"
    return ""


class Between:
    """Checks the ids of lines that are not the next word: multiword ranges, empty nodes and mistakes."""

    def __init__(self) -> None:
        self.start = self.end = self.line = 0
        self.empty = (0, 0)

    def problem(self, written: str, last: int, line: int) -> str:
        """Say what is wrong with an id that follows word `last`, an empty string where nothing is."""
        sign = next((sign for sign in "-." if sign in written), "")
        left, right = (number(part) for part in written.split(sign, 1)) if sign else (number(written), 0)
        if left is None or right is None:
            shown = reprlib.repr(written)
            return f"bad id {shown}; words count 1, 2, ..., ranges are written 1-2, empty nodes 1.1"
        if sign == "-":
            return self._range_problem(left, right, last, line)
        if sign == ".":
            return self._empty_problem(left, right, last)
        return f"id {written} where {last + 1} is expected; ids increase by one from word to word"

    def _range_problem(self, start: int, end: int, last: int, line: int) -> str:
        written = f"multiword range {start}-{end}"
        if start != last + 1:
            return f"{written} does not fit: the next word is {last + 1}"
        if start <= self.end:
            return f"{written} overlaps the range {self.start}-{self.end}"
        if end < start:
            return f"{written} ends before it starts"
        self.start, self.end, self.line = start, end, line
        return ""

    def _empty_problem(self, after: int, index: int, last: int) -> str:
        expected = (last, self.empty[1] + 1 if self.empty[0] == last else 1)
        if (after, index) != expected:
            return f"empty node {after}.{index} does not fit: {expected[0]}.{expected[1]} is expected"
        self.empty = expected
        return ""


def number(written: str) -> int | None:
    """Return a number of at most MAX_DIGITS plain digits without leading zeros, else None."""
    if len(written) > MAX_DIGITS:
        return None
    plain = written.isascii() and written.isdigit() and (written == "0" or not written.startswith("0"))
    return int(written) if plain else None
