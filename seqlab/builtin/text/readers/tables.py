"""Tables and JSON Lines with named columns: one example a row, its fields and their kinds as settings say."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seqlab.api import DataError, Example, FieldKind, Place, ReaderContext, did_you_mean
from seqlab.builtin.core.records import joined, json_lines, table, text_lines
from seqlab.builtin.core.unicode import UnicodeForm
from seqlab.textfile import file_name

__all__ = ["FORMATS", "Column", "Format", "Split", "TableReader", "words"]

Format: TypeAlias = Literal["tsv", "csv", "jsonl"]
FORMATS: tuple[Format, ...] = ("tsv", "csv", "jsonl")

Split: TypeAlias = Literal["whitespace", "words"]

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # noqa: RUF001 - the typographic apostrophe
"""Letters and digits together, with an apostrophe between them; any other sign by itself."""

JOINERS = "\u200c\u200d"
"""Signs that no word ends at: between letters of some scripts, and between the parts of an emoji."""


def words(text: str) -> list[str]:
    """Return the words of a text and its punctuation, sign by sign: `Isn't it?` is `Isn't`, `it`, `?`.

    Marks and joiners belong to what they stand behind, and no word ends at them: vowel signs of Hindi, say.
    """
    found, end, joins = list[str](), -1, False
    for match in WORD.finditer(text):
        sign = match[0]
        attached = sign in JOINERS or unicodedata.category(sign[0]).startswith("M")
        goes_on = joins and (found[-1][-1] in JOINERS or sign[0].isalnum())
        if match.start() == end and (attached or goes_on):
            found[-1] += sign
        else:
            found.append(sign)
        end, joins = match.end(), attached
    return found


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field of the examples: the column that holds it, its kind, and how its text is read."""

    name: str
    kind: FieldKind[Any]
    split: Split = "whitespace"
    separator: str | None = None
    empty: Literal["missing", "none"] = "missing"
    lowercase: bool = False

    def value(self, cell: Any) -> Any:
        """Return the value of a cell, text or JSON data; None where it is missing, ValueError for a bad one.

        An empty cell is missing where the kind knows missing values, unless `empty` says otherwise; so is one
        of white space, or of separators alone.
        """
        if cell is None:
            return self.kind.from_json(None) if self.kind.fault(None) else None
        if not isinstance(cell, str):
            return self.kind.from_json(cell)
        blank = not cell.replace(self.separator or " ", " ").strip()
        if blank and self.empty == "missing" and not self.kind.fault(None):
            return None
        return self.parsed(cell)

    def parsed(self, text: str) -> Any:
        """Return the value of a text."""
        if self.separator is not None:
            parts = [part.strip() for part in text.split(self.separator)]
            return self.kind.from_json([part for part in parts if part])
        if self.split == "words" and self.kind.name == "tokens":
            return words(text)
        return self.kind.parse(text)

    def normal(self, value: Any, form: UnicodeForm | None) -> Any:
        """Return a value with its strings in a normal form of Unicode, in lower case where that is set."""
        if isinstance(value, str):
            value = unicodedata.normalize(form, value) if form else value
            return value.lower() if self.lowercase else value
        if isinstance(value, list | tuple) and value and isinstance(value[0], str | None):
            return type(value)(self.normal(each, form) for each in value)
        return value

    def cell(self, value: Any) -> str:
        """Return a value as the text of a cell; ValueError where that would be read as another value."""
        if value is None:
            return ""
        if self.kind.of_strings:
            return joined(self.kind.to_json(value), self.separator)
        return self.kind.to_text(value)


class TableReader:
    """Reads one example a row; `columns` maps the fields to where they stand.

    `names` are the columns of tables without a header; then a file without labels may have the others alone.
    Tokens, texts and labels are brought to the normal form `unicode`, None for that of the file. A row that
    cannot be used goes to `refuse`.
    """

    def __init__(
        self,
        form: Format,
        columns: Mapping[str, Column],
        *,
        names: Sequence[str] | None = None,
        unicode: UnicodeForm | None = "NFC",
        refuse: Callable[[DataError], None] | None = None,
    ) -> None:
        self.form = form
        self.columns = columns
        self.names = names
        self.unicode = unicode
        self.refuse = refuse or ReaderContext().refuse
        self.suffixes: tuple[str, ...] = (f".{form}", f".{form}.gz")
        self.fields: Mapping[str, str] = {field: column.kind.name for field, column in columns.items()}

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield one example a row; DataError where there is none. Without labels their columns may lack."""
        file, empty = file_name(path), True
        for place, record in self._records(path, file, labelled=labelled):
            empty = False
            try:
                if isinstance(record, DataError):
                    raise record
                example = self._example(record, place, labelled=labelled)
            except DataError as error:
                self.refuse(error)
                continue
            yield replace(example, origin=record)
        if empty:
            raise DataError("no rows", place=Place(file))

    def normalize(self, example: Example) -> Example:
        """Return the example as models see it: strings in normal form, in lower case where that is set."""
        normal = {
            field: self.columns[field].normal(value, self.unicode) if field in self.columns else value
            for field, value in example.fields.items()
        }
        return replace(example, fields=normal)

    def parse(self, line: str) -> Any:
        """Return what a line of text stands for: its tokens as they are split in a file, say."""
        inputs = self._inputs()
        return next(iter(inputs.values())).value(line) if len(inputs) == 1 else line

    def take(self, given: Any) -> Example:
        """Return the example of a value that a user hands over; a text is split as in a file.

        It is a mapping of fields to values, or where there is one input the value itself.
        """
        inputs = self._inputs()
        if not (isinstance(given, Mapping) and given.keys() & self.columns.keys()):
            if len(inputs) > 1:
                raise TypeError(f"the data has several fields; give a mapping of {', '.join(inputs)}")
            given = dict.fromkeys(inputs, given)
        taken = {}
        for field, column in self.columns.items():
            if field in given:
                value = given[field]
                taken[field] = column.parsed(value) if isinstance(value, str) else column.kind.take(value)
        return Example(taken, Place("value"))

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the row with the answers in their columns, everything else as it was read."""
        record = self._answered(example, answers)
        if self.form == "jsonl":
            return json.dumps(record, ensure_ascii=False) + "\n"
        return self._line([record[name] for name in self._names(record)], example.place)

    def header(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the line that names the columns of such rows; none where the recipe names them."""
        if self.form == "jsonl" or self.names is not None:
            return ""
        return self._line(self._names(self._answered(example, answers)), example.place)

    def _answered(self, example: Example, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of an example with the answers in it, as its file has them."""
        assert isinstance(example.origin, Mapping), "examples are written by the reader that read them"
        record = dict(example.origin)
        for field, value in answers.items():
            column = self.columns[field]
            told = column.kind.to_json if self.form == "jsonl" else column.cell
            try:
                record[column.name] = told(value)
            except ValueError as error:
                raise DataError(f"column {column.name!r}: {error}", place=example.place) from None
        return record

    def _names(self, record: Mapping[str, Any]) -> list[str]:
        return list(record) if self.names is None else [name for name in self.names if name in record]

    def _line(self, cells: Sequence[str], place: Place) -> str:
        """Return a line of a table; DataError where a cell holds what would end it."""
        if self.form == "csv":
            stream = io.StringIO()
            csv.writer(stream, lineterminator="\n").writerow(cells)
            return stream.getvalue()
        for cell in cells:
            if any(sign in cell for sign in "\t\n\r"):
                raise DataError(
                    f"{cell!r} holds a tab or a line end and cannot be written as TSV", place=place
                )
        return "\t".join(cells) + "\n"

    def _inputs(self) -> dict[str, Column]:
        return {field: each for field, each in self.columns.items() if not each.kind.annotation}

    def _records(
        self, path: Path, file: str, *, labelled: bool
    ) -> Iterator[tuple[Place, dict[str, Any] | DataError]]:
        lines = text_lines(path, file)
        if self.form == "jsonl":
            return json_lines(lines)
        return table(lines, self.form, self.names, () if labelled or self.names is None else self._bare())

    def _bare(self) -> list[str]:
        """Return the columns without those of labels, where a recipe names them."""
        labels = {each.name for each in self.columns.values() if each.kind.annotation}
        return [name for name in self.names or () if name not in labels]

    def _example(self, record: Mapping[str, Any], place: Place, *, labelled: bool) -> Example:
        fields = {}
        for field, column in self.columns.items():
            if not labelled and (column.kind.annotation or column.name not in record):
                continue  # what the model reads, it asks for itself
            if column.name not in record:
                raise self._no_column(field, record, place)
            try:
                fields[field] = column.value(record[column.name])
            except (ValueError, TypeError) as error:
                raise DataError(f"column {column.name!r}: {error}", place=place) from None
        self._check_along(fields, place)
        if not fields:
            raise self._no_column(next(iter(self._inputs() or self.columns)), record, place)
        return Example(fields, place)

    def _no_column(self, field: str, record: Mapping[str, Any], place: Place) -> DataError:
        name = self.columns[field].name
        hint = did_you_mean(name, record) or f"; there are: {', '.join(record) or 'none'}"
        return DataError(f"no column {name!r}, which holds {field!r}{hint}", place=place)

    def _check_along(self, fields: Mapping[str, Any], place: Place) -> None:
        """Refuse labels of another number than the tokens that they stand along."""
        for field, column in self.columns.items():
            others = [name for name, each in self.columns.items() if each.kind.name == column.kind.along]
            if len(others) == 1 and field in fields and fields[field] is not None:
                (other,) = others
                if other in fields and len(fields[field]) != len(fields[other]):
                    counts = f"{len(fields[field])} {field} for {len(fields[other])} {other}"
                    raise DataError(f"column {column.name!r}: {counts}", place=place)
