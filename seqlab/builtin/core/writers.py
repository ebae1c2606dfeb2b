"""Formats of predictions that suit every task: tables, JSON Lines, and the format of the recipe's reader."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from numbers import Real
from typing import Any

from seqlab.api import Answer, DataError, Example, FieldKind, Prediction, Writer, WriterContext
from seqlab.builtin.core.records import joined

__all__ = ["WRITERS", "Data", "JsonLines", "Table", "rows_of", "tsv_line"]

DIGITS = 4
"""Decimals that JSON holds of scores and details."""


class Table(Writer):
    """Values separated by tabs."""

    name = "tsv"
    summary = (
        "a line per value, what names it and then one column per head; where heads label tokens, a line per"
        " token, and an empty line after each sequence"
    )

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        """Write rows of tokens and labels where all answers stand along one input, else a single row."""
        example = prediction.example
        along = _along(context)
        if along is None:
            return tsv_line(_row(prediction, context), example)
        values = {target: answer.value for target, answer in prediction.answers.items()}
        return "".join(tsv_line(row, example) for row in rows_of(example, along, values)) + "\n"


class JsonLines(Writer):
    """One JSON object a line."""

    name = "jsonl"
    summary = (
        "an object per value: the fields that the model reads, one key per head, its probability and details;"
        " of sound, what its own manifest says and its path, relative to the output"
    )

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        """Write one object."""
        example, record = prediction.example, dict[str, Any]()
        keys = {target: _key(target, context) for target in prediction.answers}
        said = {
            keys[target]: context.answers[target].to_json(answer.value)
            for target, answer in prediction.answers.items()
        }
        for field, kind in context.inputs.items():
            record |= kind.record(field, example, said, context.folder)
        record |= said
        record |= _extras(prediction, keys, context, record)
        line = json.dumps(record, ensure_ascii=False) + "\n"
        return line.encode(errors="backslashreplace").decode()  # names that are not UTF-8 as JSON escapes


class Data(Writer):
    """The format of the recipe's reader."""

    name = "data"
    summary = "the format of the data that the model was trained on, with the answers filled in"

    def fault(self, context: WriterContext) -> str:
        """Refuse where the reader cannot write."""
        return "" if hasattr(context.reader, "write") else "the recipe's reader has no method write"

    def begin(self, prediction: Prediction, context: WriterContext) -> str:
        """Have the reader write what stands above the example."""
        if not hasattr(context.reader, "header"):
            return ""
        header: str = context.reader.header(*_parts(prediction, context))
        return header

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        """Have the reader write the example; DataError where it does not fit below the first one's header."""
        example = prediction.example
        if example.origin is None:
            message = "this was given by itself, not as data to be written back; choose tsv or jsonl"
            raise DataError(message, place=example.place)
        own, above = (self.begin(each, context) for each in (prediction, context.first or prediction))
        if own != above:
            message = f"belongs below the header {own.strip()!r}, but the output has {above.strip()!r}"
            raise DataError(f"{message}; give it an output of its own", place=example.place)
        written: str = context.reader.write(*_parts(prediction, context))  # type: ignore[attr-defined]
        return written


def _parts(prediction: Prediction, context: WriterContext) -> tuple[Example, dict[str, Any]]:
    """Return the example, as the output's folder has it, and the values of its answers."""
    example = prediction.example
    for kind in context.inputs.values():
        example = kind.moved(example, context.folder)
    return example, {target: answer.value for target, answer in prediction.answers.items()}


WRITERS: tuple[Writer, ...] = (Table(), JsonLines(), Data())
"""All of these formats."""


def tsv_line(row: Sequence[str], example: Example) -> str:
    """Return a line of values separated by tabs; DataError where a value holds one, or a line end."""
    for value in row:
        if any(sign in value for sign in "\t\n\r"):
            message = f"{value!r} holds a tab or a line end and cannot be written as TSV; choose jsonl"
            raise DataError(message, place=example.place)
    return "\t".join(row) + "\n"


def rows_of(example: Example, field: str, values: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return (token, label, ...) for each token; labels of another number than tokens are a ValueError."""
    tokens: Sequence[str] = example.fields[field]
    for target, labels in values.items():
        if len(labels) != len(tokens):
            raise ValueError(f"{example.place}: {len(labels)} labels {target!r} for {len(tokens)} tokens")
    return list(zip(tokens, *values.values(), strict=True))


def _along(context: WriterContext) -> str | None:
    """Return the input that all answers stand along, part by part; None where there is none."""
    for field, kind in context.inputs.items():
        if context.answers and all(answer.along == kind.name for answer in context.answers.values()):
            return field
    return None


def _row(prediction: Prediction, context: WriterContext) -> list[str]:
    example = prediction.example
    given = [kind.cell(example.fields[field], example) for field, kind in context.inputs.items()]
    answered = prediction.answers.items()
    return given + [_told(answer.value, context.answers[target], example) for target, answer in answered]


def _told(value: Any, kind: FieldKind[Any], example: Example) -> str:
    """Return an answer as text; DataError where that would be read as another answer."""
    try:
        return joined(kind.to_json(value)) if kind.of_strings else kind.to_text(value)
    except ValueError as error:
        raise DataError(f"{error}; choose jsonl", place=example.place) from None


def _key(target: str, context: WriterContext) -> str:
    """Return the key of an answer; a language model answers of the very field that it reads."""
    return f"{target}_answer" if target in context.inputs else target


def _extras(
    prediction: Prediction, keys: Mapping[str, str], context: WriterContext, taken: Collection[str]
) -> dict[str, Any]:
    """Return what answers hold besides their values, by target where there are several answers.

    That is scores of one number each, alternatives, and the details that are not heads' own affair; these
    stand below `details` where a single answer's would hide one of the keys that are `taken`.
    """
    answers = prediction.answers
    scores = {name: _plain(each.score) for name, each in answers.items() if isinstance(each.score, Real)}
    rivals = {
        name: [_alternative(other, keys[name], context.answers[name]) for other in each.alternatives]
        for name, each in answers.items()
        if each.alternatives
    }
    details = {name: _plain_details(each.details) for name, each in answers.items()}
    if len(answers) > 1:
        extras = {"probabilities": scores, "alternatives": rivals, "details": details}
        return {name: found for name, found in extras.items() if any(found.values())}
    (only,) = answers
    extras = ({"probability": scores[only]} if scores else {}) | (
        {"alternatives": rivals[only]} if rivals else {}
    )
    hidden = details[only].keys() & {*taken, *extras}
    return extras | ({"details": details[only]} if hidden else details[only])


def _alternative(answer: Answer, key: str, kind: FieldKind[Any]) -> dict[str, Any]:
    score = {"probability": _plain(answer.score)} if isinstance(answer.score, Real) else {}
    details = _plain_details(answer.details)
    return {key: kind.to_json(answer.value)} | score | ({"details": details} if details else {})


def _plain_details(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in details.items() if not name.startswith("_")}


def _plain(value: Any) -> Any:
    """Return JSON data, numbers rounded; what is no JSON data as its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Real):
        number = float(value)
        return round(number, DIGITS) if math.isfinite(number) else str(number)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return str(value)
