"""What prediction reads besides the recipe's own format, and what it writes.

`read_text` takes one sentence a line; `WRITERS` turns one example and its labels into text. An example whose
reader can write it back (`Example.origin`) is better written by that reader: it keeps comments and columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from seqlab.builtin.core.lines import BOM, decode
from seqlab.builtin.text.readers.conllu_columns import COLUMNS, NO_VALUE, Source
from seqlab.errors import DataError, Place
from seqlab.plugin.kinds import Example

__all__ = [
    "WRITERS",
    "Labels",
    "Writer",
    "read_text",
    "tsv_line",
    "write_conllu",
    "write_jsonl",
    "write_tsv",
]

Labels = Mapping[str, Sequence[str]]
"""One label for each token, per label field."""

Writer = Callable[[Example, Labels], str]
"""From an example and its labels to its text, line ends included, ready to be joined to the next one's."""


def read_text(lines: Iterable[bytes], name: str) -> Iterator[Example]:
    """Yield one example per line of whitespace-separated tokens; an empty line gives one without tokens.

    Whitespace is what Unicode calls so, no-break spaces included: no token holds any. `name` stands for the
    file in messages. A byte order mark and CRLF line ends are taken off. DataError where there is no line.
    """
    number = 0
    for number, line in enumerate(lines, 1):
        place = Place(name, number)
        raw = line.removeprefix(BOM) if number == 1 else line
        yield Example({"tokens": decode(raw, place).split()}, place)
    if not number:
        raise DataError("empty: one sentence a line is expected", place=Place(name))


def write_tsv(example: Example, labels: Labels) -> str:
    """Write token TAB label lines, one column per label field, and an empty line after each sentence."""
    return "".join(tsv_line(row, example) for row in rows_of(example, labels)) + "\n"


def write_jsonl(example: Example, labels: Labels) -> str:
    """Write one line with one JSON object: the list `tokens`, then one list per label field."""
    rows_of(example, labels)
    record = {"tokens": example.fields["tokens"], **{field: list(labels[field]) for field in labels}}
    return json.dumps(record, ensure_ascii=False) + "\n"


def write_conllu(example: Example, labels: Labels) -> str:
    """Write an example that came from plain text as a CoNLL-U sentence, labels in their columns.

    One without tokens, which CoNLL-U does not know, is an empty line more. A token with a tab or line end and
    a label field that is no column of CoNLL-U cannot be written: DataError.
    """
    rows = rows_of(example, labels)
    if not rows:
        return "\n"
    try:
        form, *sources = (Source.named(column) for column in ("form", *labels))
        lines = [conllu_line(index, row, (form, *sources)) for index, row in enumerate(rows, 1)]
    except ValueError as error:
        raise DataError(f"{error}; choose tsv or jsonl", place=example.place) from None
    return "\n".join([f"# text = {' '.join(example.fields['tokens'])}", *lines]) + "\n\n"


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {"conllu": write_conllu, "jsonl": write_jsonl, "tsv": write_tsv}
)
"""Output formats by the name that users give."""


def tsv_line(row: Sequence[str], example: Example) -> str:
    """Return a line of values separated by tabs; DataError where a value holds one, or a line end."""
    for value in row:
        if any(sign in value for sign in "\t\n\r"):
            message = f"{value!r} holds a tab or a line end and cannot be written as TSV; choose jsonl"
            raise DataError(message, place=example.place)
    return "\t".join(row) + "\n"


def conllu_line(index: int, row: Sequence[str], sources: Sequence[Source]) -> str:
    """Return the line of word `index` with each value of `row` in its own place."""
    columns = [str(index)] + [NO_VALUE] * (len(COLUMNS) - 1)
    for source, value in zip(sources, row, strict=True):
        source.put(columns, value)
    return "\t".join(columns)


def rows_of(example: Example, labels: Labels) -> list[tuple[str, ...]]:
    """Return (token, label, ...) for each token; labels of another number than tokens are a ValueError."""
    tokens: Sequence[str] = example.fields["tokens"]
    for field, values in labels.items():
        if len(values) != len(tokens):
            raise ValueError(f"{example.place}: {len(values)} labels {field!r} for {len(tokens)} tokens")
    return list(zip(tokens, *labels.values(), strict=True))
