"""Manifests of speech: one utterance a line, as JSON Lines or as a table with named columns (TSV, CSV).

JSON Lines: one object a line, empty lines passed over. TSV: one line of names, then one row a line, split at
tabs, nothing quoted. CSV: likewise, at commas, quoted as in RFC 4180. All UTF-8, all may be gzipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqlab.api import DataError, Place, did_you_mean
from seqlab.audio import Declared
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.core.records import TableFormat, json_lines, shown, table, text_lines
from seqlab.builtin.speech.readers.utterances import ListedUtterance, Utterance
from seqlab.textfile import file_name, is_standard_input

__all__ = ["Columns", "ManifestLayout"]

LINES = (".jsonl", ".json")
TABLES: Mapping[str, TableFormat] = {".tsv": "tsv", ".csv": "csv"}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of keys or columns; an optional one that is None has its own name and may be absent.

    Of `text` and `label` None means that there is none.
    """

    audio: str = "audio"
    text: str | None = "text"
    start: str | None = None
    end: str | None = None
    duration: str | None = None
    sample_rate: str | None = None
    speaker: str | None = None
    label: str | None = None
    id: str | None = None

    def required(self, *, labelled: bool) -> list[str]:
        """Return the names that every record must hold; without labels nobody asks for what people add."""
        names = {each.name: getattr(self, each.name) for each in fields(self)}
        if not labelled:
            del names["text"], names["speaker"], names["label"]
        return [name for name in names.values() if name is not None]


class ManifestLayout:
    """Reads manifests; paths of sound start from the manifest's folder, or from `folder` in it.

    A path without an ending gets `suffix`.
    """

    suffixes: tuple[str, ...] = tuple(
        suffix + packed for suffix in (*LINES, *TABLES) for packed in ("", ".gz")
    )

    def __init__(self, columns: Columns, folder: str = "", suffix: str = "") -> None:
        self.columns = columns
        self.folder = folder
        self.suffix = suffix

    def entries(self, path: Path, *, labelled: bool) -> Iterator[ListedUtterance | DataError]:
        """Yield the entry of each line; `-` is standard input and holds JSON Lines."""
        file = file_name(path)
        base = path.parent / self.folder
        required = self.columns.required(labelled=labelled)
        for place, record in records(path, file):
            if isinstance(record, DataError):
                yield record
                continue
            try:
                yield self._entry(record, place, base, required)
            except ValueError as error:
                yield DataError(str(error), place=place)

    def _entry(
        self, record: Mapping[str, Any], place: Place, base: Path, required: Sequence[str]
    ) -> ListedUtterance:
        """Make the entry; ValueError for what is missing or of a wrong type."""
        for name in required:
            if name not in record:
                hint = did_you_mean(name, record) or f"; there are: {', '.join(record)}"
                if name == self.columns.text:
                    hint += "; columns: {text: null} reads sound without texts"
                raise ValueError(f"missing key {name!r}{hint}")
        audio = string(record, self.columns.audio)
        text = string(record, self.columns.text) if self.columns.text else None
        if not audio:
            raise ValueError(f"{self.columns.audio!r} must be the path of a sound file, got nothing")
        start, end, declared = self._stretch(record)
        origin = Utterance(
            id=self._name(record, "id") or audio + stretch(start, end),
            speaker=self._name(record, "speaker"),
            record=record,
            audio_key=self.columns.audio,
            text_key=self.columns.text,
        )
        named = base / audio
        path = named.with_name(named.name + self.suffix) if self.suffix and not named.suffix else named
        return ListedUtterance(
            place=place,
            audio=path,
            text=text,
            origin=origin,
            start=start or 0.0,
            end=end,
            declared=declared,
        )

    def _stretch(self, record: Mapping[str, Any]) -> tuple[float | None, float | None, Declared]:
        """Return start, end and what is declared; a start and a duration without an end make the end."""
        start, end = self._number(record, "start"), self._number(record, "end")
        duration, rate = self._number(record, "duration"), self._number(record, "sample_rate")
        if rate is not None and (rate != int(rate) or rate < 1):
            raise ValueError(f"{self._column('sample_rate')!r} must be a whole number of Hz, got {rate:g}")
        if start is not None and end is None and duration is not None:
            end, duration = start + duration, None
        declared = Declared(sample_rate=None if rate is None else int(rate), duration=duration)
        return start, end, declared

    def _column(self, name: str) -> str:
        return getattr(self.columns, name) or name

    def _name(self, record: Mapping[str, Any], name: str) -> str | None:
        column = self._column(name)
        value = record.get(column)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise ValueError(f"{column!r} must be a string, got {shown(value)}")
        return None if value in (None, "") else str(value)

    def _number(self, record: Mapping[str, Any], name: str) -> float | None:
        column = self._column(name)
        value = record.get(column)
        if value is None or value == "":
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0 <= number < math.inf:
            raise ValueError(f"{column!r} must be a number, at least 0, got {shown(value)}")
        return number


def stretch(start: float | None, end: float | None) -> str:
    """Return what a path needs to name a part of its file: `#1.5-3`, nothing for the whole."""
    if start is None and end is None:
        return ""
    return f"#{start or 0.0:.15g}-{'' if end is None else f'{end:.15g}'}"


def string(record: Mapping[str, Any], name: str) -> str | None:
    """Return a string of a record, None where there is none; ValueError where it is something else."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name!r} must be a string, got {shown(value)}")
    return value


# --- from files to records -------------------------------------------------------------------------------


def records(path: Path, file: str) -> Iterator[tuple[Place, dict[str, Any] | DataError]]:
    """Yield the place and the record of each line, or what is wrong with the line."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if not is_standard_input(path) and suffix not in (*LINES, *TABLES):
        what = "a folder" if path.is_dir() else "named like sound" if suffix in SUFFIXES else ""
        wanted = f"not the name of a manifest; it must end in one of: {', '.join((*LINES, *TABLES))}"
        raise DataError(f"{what}, {wanted}" if what else wanted, place=Place(file))
    lines = text_lines(path, file)
    yield from table(lines, TABLES[suffix]) if suffix in TABLES else json_lines(lines)
