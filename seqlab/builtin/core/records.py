"""Records of text files, whatever they hold: JSON Lines, and tables of rows with named columns (TSV, CSV).

TSV: one row a line, split at tabs, nothing quoted. CSV: at commas, quoted as in RFC 4180, so that a row may
go over several lines. JSON Lines: one object a line, empty lines passed over. All UTF-8, all may be gzipped.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seqlab.api import DataError, Place
from seqlab.textfile import BOM, byte_lines, decode

__all__ = [
    "TableFormat",
    "checked_header",
    "csv_rows",
    "joined",
    "json_lines",
    "shown",
    "tab_rows",
    "table",
    "text_lines",
]

TableFormat: TypeAlias = Literal["tsv", "csv"]


def shown(value: Any) -> str:
    """Return a value as JSON writes it, in short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def joined(parts: Sequence[str], separator: str | None = None) -> str:
    """Return strings as one text, apart by a separator, white space where there is none.

    ValueError where the text would be read as other strings.
    """
    for part in parts:
        read = part.split() if separator is None else [each.strip() for each in part.split(separator)]
        if not part or read != [part]:
            between = "white space" if separator is None else repr(separator)
            raise ValueError(f"{part!r} cannot stand in a list apart by {between}")
    return (separator or " ").join(parts)


def text_lines(path: Path, file: str) -> Iterator[tuple[Place, str]]:
    """Yield the decoded lines without their ends; DataError where the file is not UTF-8."""
    for number, raw in enumerate(byte_lines(path), 1):
        place = Place(file, number)
        yield place, decode(raw.removeprefix(BOM) if number == 1 else raw, place).removesuffix("\r")


def json_lines(lines: Iterable[tuple[Place, str]]) -> Iterator[tuple[Place, dict[str, Any] | DataError]]:
    """Yield the object of each line that is not empty."""
    for place, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=unique)
        except json.JSONDecodeError as error:
            at = Place(place.file, place.line, error.colno)
            yield place, DataError(f"bad JSON: {error.msg[:1].lower()}{error.msg[1:]}", place=at)
        except (ValueError, RecursionError) as error:
            yield place, DataError(f"bad JSON: {error}", place=place)
        else:
            wrong = DataError(f"expected a JSON object, got {shown(record)}", place=place)
            yield place, record if isinstance(record, dict) else wrong


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of pairs whose keys must differ."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return made


def table(
    lines: Iterator[tuple[Place, str]],
    form: TableFormat,
    names: Sequence[str] | None = None,
    fewer: Sequence[str] = (),
) -> Iterator[tuple[Place, dict[str, Any] | DataError]]:
    """Yield each row as a mapping from the names of the columns, by default those in the first row.

    A row may have the columns `fewer` alone, where there are such. Empty lines are passed over.
    """
    header = names
    for place, row in tab_rows(lines) if form == "tsv" else csv_rows(lines):
        if header is None:
            header = checked_header(row, place)
        elif len(row) == len(header):
            yield place, dict(zip(header, row, strict=True))
        elif fewer and len(row) == len(fewer):
            yield place, dict(zip(fewer, row, strict=True))
        elif row not in ([], [""]):
            told = "as the first line names them" if names is None else f"({', '.join(header)})"
            counts = f"{len(header)} columns {told}, found {len(row)}"
            yield place, DataError(f"expected {counts}", place=place)


def checked_header(row: list[str], place: Place) -> list[str]:
    """Return the first row of a table; DataError where it does not name each column once."""
    if "" in row or len(set(row)) < len(row):
        message = f"the first line must name each column once, got: {', '.join(row)}"
        raise DataError(message, place=place)
    return row


def tab_rows(lines: Iterable[tuple[Place, str]]) -> Iterator[tuple[Place, list[str]]]:
    """Yield the fields of each line, split at tabs."""
    for place, line in lines:
        yield place, line.split("\t")


def csv_rows(lines: Iterator[tuple[Place, str]]) -> Iterator[tuple[Place, list[str]]]:
    """Yield the fields of each row, with the place of its first line; a row may go over several lines."""
    place = Place("")

    def fed() -> Iterator[str]:
        nonlocal place
        for place, line in lines:  # noqa: B007 - tells where the reader stands
            yield line + "\n"

    rows = csv.reader(fed(), strict=True)
    before = 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            long = "field limit" in str(error)
            meant = (
                f"a cell of over {csv.field_size_limit():,} characters, or a quote that nothing closes"
                if long
                else f"bad CSV: {error}; quotes are doubled within quotes"
            )
            message = f"{meant}; TSV and JSON Lines take cells of any length" if long else meant
            raise DataError(message, place=Place(place.file, before + 1)) from error
        if row is None:
            return
        yield Place(place.file, before + 1), row
        before = rows.line_num
