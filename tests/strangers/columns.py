"""A stranger's readers: lines of `text TAB answer`, and CSV of numbers with its featurizer."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from seqlab.api import (
    Column,
    Component,
    Config,
    DataError,
    Declaration,
    Example,
    FeaturizerContext,
    Place,
    ReaderContext,
    Refuse,
    Sequences,
    hookimpl,
)


class TabConfig(Config):
    """Two columns: a text, and what is said of it."""

    answer: Literal["none", "label", "label_set", "labels", "text", "number"] = "label"
    """The kind of the second column; `none`: there is none."""


class Tab:
    """Lines of `text TAB answer`; the field `answer` holds None where the second column is `?`."""

    suffixes = (".tab",)

    def __init__(self, kind: str, refuse: Refuse) -> None:
        self.kind = kind
        self.refuse = refuse
        self.fields = {"tokens": "tokens"} | ({} if kind == "none" else {"answer": kind})

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            place = Place(str(path), number)
            text, tab, said = line.partition("\t")
            try:
                fields = {"answer": self._answer(said)} if tab and "answer" in self.fields else {}
                if labelled and fields.keys() | {"tokens"} != self.fields.keys():
                    raise ValueError("there is no second column")
            except ValueError as error:
                self.refuse(DataError(str(error), place=place))
            else:
                yield Example({"tokens": text.split(), **fields}, place)

    def _answer(self, said: str) -> Any:
        if said == "?" and self.kind != "text":
            return None
        read: dict[str, Callable[[str], Any]] = {
            "number": float,
            "labels": str.split,
            "label_set": lambda words: set(words.split()),
        }
        return read.get(self.kind, str)(said)


def build_tab(config: TabConfig, context: ReaderContext) -> Tab:
    return Tab(config.answer, context.refuse)


def tab_fields(config: TabConfig) -> Declaration:
    return Declaration(
        fields={"tokens": "tokens"} | ({} if config.answer == "none" else {"answer": config.answer})
    )


class NumbersConfig(Config):
    """How many numbers at the end of a row are to be forecast."""

    ahead: int = 1


class Numbers:
    """Rows of a CSV file: a series, and as `future` its continuation."""

    suffixes = (".csv",)
    fields: Mapping[str, str] = {"past": "series", "future": "series"}

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        with path.open(newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                values = [float(value) for value in row]
                cut = len(values) - self.ahead if labelled else len(values)
                fields = {"past": values[:cut]} | ({"future": values[cut:]} if labelled else {})
                yield Example(fields, Place(str(path), number))


class Values:
    """A series as features: one number for each step, as it is."""

    def __init__(self, field: str) -> None:
        self.field = field

    def fit(self, values: Iterable[Any]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        pass

    def encode(self, values: Sequence[Sequence[float]]) -> Column:
        flat = [[float(number)] for value in values for number in value]
        lengths = torch.tensor([len(value) for value in values], dtype=torch.int64)
        return Column(torch.tensor(flat, dtype=torch.float32).view(-1, 1), lengths)

    def module(self) -> nn.Module:
        return AsTheyAre()


class AsTheyAre(nn.Module):
    output_size = 1

    def forward(self, column: Sequences) -> Sequences:
        return column


class ValuesConfig(Config):
    """Which series is read."""

    field: str = "past"


def build_values(config: ValuesConfig, context: FeaturizerContext) -> Values:
    return Values(config.field)


@hookimpl
def seqlab_register_readers() -> list[Component[Any]]:
    return [
        Component(
            name="tab",
            config=TabConfig,
            build=build_tab,
            declares=tab_fields,
            summary="text, a tab, an answer",
            skips=True,
        ),
        Component(  # it declares nothing
            name="csv_numbers",
            config=NumbersConfig,
            build=lambda config, context: Numbers(config.ahead),
            summary="CSV of numbers",
        ),
    ]


@hookimpl
def seqlab_register_featurizers() -> list[Component[Any]]:
    return [Component(name="values", config=ValuesConfig, build=build_values, summary="a series as it is")]
