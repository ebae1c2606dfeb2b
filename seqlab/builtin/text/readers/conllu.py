"""CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

A sentence is a block of lines closed by an empty line: comments (`# ...`), then one line of ten tab-separated
columns for each word. Lines of multiword tokens (`1-2`) and empty nodes (`1.1`) stand between the words; they
are checked and written back, but hold no token.
"""

from __future__ import annotations

import reprlib
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, cast

from seqlab.api import DataError, Example, Place, ReaderContext
from seqlab.builtin.core.unicode import UnicodeForm
from seqlab.builtin.text.readers.conllu_columns import COLUMNS, FORM, ID, NO_VALUE, SPACELESS, ColumnKey
from seqlab.textfile import BOM, byte_lines, decode, file_name

__all__ = ["SUFFIXES", "ConlluReader", "Missing"]

SUFFIXES = (".conllu", ".conllu.gz")

Missing: TypeAlias = Literal["ignore", "fail"]

TOKENS = "tokens"

MAX_DIGITS = 9
"""More than any id needs; Python refuses to read numbers of thousands of digits."""

EMPTY_LINES = (b"\n", b"\r\n")

REFUSED = f"the column holds {NO_VALUE}, which missing: fail of the reader refuses; missing: ignore reads it"


class ConlluReader:
    """Reads CoNLL-U: the column `text` becomes the field `tokens`, each of `labels` a field of its name.

    `missing` says what a word is that has no value where it needs one: with `ignore` a missing label is None
    and a missing text the token `_`, with `fail` either is an error. `unicode` is the normal form in which
    models see tokens and labels, None for that of the file. A sentence that cannot be used goes to `refuse`.
    """

    suffixes: tuple[str, ...] = SUFFIXES

    def __init__(
        self,
        text: str = "form",
        labels: Sequence[str] = ("upos",),
        *,
        missing: Missing = "ignore",
        unicode: UnicodeForm | None = "NFC",
        refuse: Callable[[DataError], None] | None = None,
    ) -> None:
        self.text = ColumnKey.named(text)
        self.labels = tuple(ColumnKey.named(label) for label in labels)
        self.missing = missing
        self.unicode = unicode
        self.refuse = refuse or ReaderContext().refuse
        self.fields: Mapping[str, str] = {
            TOKENS: "tokens",
            **dict.fromkeys(labels, "labels"),
        }

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield one example per sentence, in constant memory; `origin` is the sentence as the file has it.

        Plain and gzipped files are told apart by content. DataError where there is no sentence, or no word
        has a text.
        """
        file = file_name(path)
        labels = self.labels if labelled else ()
        empty = textless = True
        for sentence in sentences(byte_lines(path), file):
            empty = False
            try:
                example, some_text = self._example(sentence, labels)
            except DataError as error:
                self.refuse(error)
                textless = False  # nobody knows
                continue
            textless = textless and not some_text
            yield example
        if empty:
            raise DataError("no sentences", place=Place(file))
        if textless:
            message = f"no word has a value in the column {self.text.name!r}, which is to hold the text"
            raise DataError(message, place=Place(file))

    def normalize(self, example: Example) -> Example:
        """Return the example as models see it: tokens and labels in the normal form of Unicode."""
        form = self.unicode
        if form is None:
            return example
        fields = {
            name: [value and sys.intern(unicodedata.normalize(form, value)) for value in values]
            for name, values in example.fields.items()
        }
        return Example(fields, example.place, example.origin)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the sentence with the labels put into their columns, everything else as it was read.

        Where a label is None, its column stays as it is.
        """
        lines = cast("str", example.origin).split("\n")
        words = [index for index, line in enumerate(lines) if line.partition("\t")[0].isdigit()]
        sources = [ColumnKey.named(field) for field in answers]
        for source in sources:
            if len(answers[source.name]) != len(words):
                raise ValueError(f"{len(answers[source.name])} labels {source.name!r} for {len(words)} words")
        for index, *values in zip(words, *answers.values(), strict=True):
            line = lines[index].removesuffix("\r")
            row = line.split("\t")
            try:
                for source, value in zip(sources, values, strict=True):
                    source.put(row, value)
            except ValueError as error:
                place = Place(example.place.file, example.place.line + index)
                raise DataError(str(error), place=place) from None
            lines[index] = "\t".join(row) + lines[index][len(line) :]
        return "\n".join(lines)

    def _example(self, sentence: Sentence | DataError, labels: Sequence[ColumnKey]) -> tuple[Example, bool]:
        """Return the example of a sentence, and whether any word has a text; DataError for a faulty one."""
        if isinstance(sentence, DataError):
            raise sentence
        words = sentence.words()
        tokens = sentence.values(words, self.text, self.missing)
        fields: dict[str, Any] = {TOKENS: [NO_VALUE if token is None else token for token in tokens]}
        fields |= {label.name: sentence.values(words, label, self.missing) for label in labels}
        return Example(fields, sentence.at(0), sentence.origin), tokens.count(None) < len(tokens)


# --- from bytes to sentences ---------------------------------------------------------------------------


def sentences(lines: Iterable[bytes], file: str) -> Iterator[Sentence | DataError]:
    """Group lines into sentences, or say what is wrong with one.

    More empty lines than the one that closes a sentence do no harm.
    """
    pending: list[bytes] = []
    number = 0
    for number, line in enumerate(lines, 1):
        raw = line.removeprefix(BOM) if number == 1 else line
        if raw not in EMPTY_LINES:
            if raw:
                pending.append(raw)
        elif pending:
            yield _sentence([*pending, raw], Place(file, number - len(pending)))
            pending.clear()
    if pending:
        first = number - len(pending) + 1
        # A file in UTF-16 lands here: that comes first.
        found = _sentence(pending[:-1], Place(file, first))
        yield (
            found
            if isinstance(found, DataError)
            else DataError(
                f"the last sentence, starting at line {first}, is not closed by an empty line: "
                "the file may be cut off; add an empty line if it is whole",
                place=Place(file, number),
            )
        )


def _sentence(lines: Sequence[bytes], place: Place) -> Sentence | DataError:
    block = b"".join(lines)
    try:
        text = decode(block, place)
    except DataError as error:
        return error
    return Sentence(place.file, place.line, text.removesuffix("\n"), block.decode())


# --- from a sentence to words --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A word's ten columns and its line, counted from 0 in the sentence."""

    row: list[str]
    line: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The text of one sentence, whose first line is line `first` of the file.

    `text` has no line end but LF, and none at its end; `origin` has what the file has.
    """

    file: str
    first: int
    text: str
    origin: str

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

    def values(self, words: Sequence[Word], source: ColumnKey, missing: Missing) -> list[str | None]:
        """Return one value for each word, None for a missing one, which may be an error."""
        values: list[str | None] = []
        for word in words:
            try:
                value = source.get(word.row)
            except ValueError as error:
                self.fail(word.line, str(error))
            if value == NO_VALUE and source.is_missing(value, word.row[FORM]):
                if missing == "fail":
                    self.fail(word.line, f"no {source.name} for {word.row[FORM]!r}: {REFUSED}")
                values.append(None)
            else:
                # One string for all uses of a word or label keeps a corpus in memory small.
                values.append(sys.intern(value))
        return values


def line_problem(line: str, row: Sequence[str]) -> str:
    """Say what is wrong with a line after the comments, an empty string where nothing is."""
    if line.startswith("#"):
        return "comment in the middle of a sentence; comments stand before its first word"
    if not line.strip():
        return "a line of blanks does not end a sentence; the line between two sentences must be empty"
    if len(row) != len(COLUMNS):
        hint = "; the line seems to be separated by spaces" if len(row) == 1 and len(line.split()) > 1 else ""
        hint += "; there is a CR in it, which ends no line without LF" if "\r" in line else ""
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
