"""A stranger's kinds of field, a colour and a list of them; what reads and learns them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.api import (
    Alignment,
    Answer,
    Column,
    Component,
    Config,
    DataError,
    Example,
    FieldKind,
    HeadContext,
    Place,
    Sequences,
    States,
    chosen_field,
    hookimpl,
)


@dataclass(frozen=True)
class Colour:
    """Red, green and blue in 0 to 1."""

    red: float
    green: float
    blue: float

    @classmethod
    def read(cls, code: str) -> Colour:
        if not re.fullmatch("#[0-9a-f]{6}", code):
            raise ValueError(f"{code!r} is no colour; write one like #ff8000")
        return cls(*(int(code[start : start + 2], 16) / 255 for start in (1, 3, 5)))

    def __str__(self) -> str:
        return "#" + "".join(f"{round(255 * part):02x}" for part in (self.red, self.green, self.blue))

    def parts(self) -> list[float]:
        return [self.red, self.green, self.blue]


RED, GREEN, BLUE = map(Colour.read, ("#ff0000", "#00ff00", "#0000ff"))


class ColourKind(FieldKind[Colour]):
    name = "colour"
    summary = "one colour"
    parts = "colours"
    annotation = True
    samples = (RED, BLUE, Colour.read("#808080"))

    def fault(self, value: Any) -> str:
        return "" if isinstance(value, Colour) else f"{value!r} where a Colour is expected"

    def to_json(self, value: Colour) -> str:
        return str(value)

    def from_json(self, data: Any) -> Colour:
        return Colour.read(data)

    def parse(self, line: str) -> Colour:
        return Colour.read(line.strip())


class ColoursKind(FieldKind[Sequence[Colour]]):
    name = "colours"
    summary = "colours one after another"
    steps = "colours"
    unit = "colours"
    samples = ((RED, GREEN), (BLUE,), (GREEN, GREEN, BLUE))

    def fault(self, value: Any) -> str:
        sound = isinstance(value, list | tuple) and all(isinstance(each, Colour) for each in value)
        return "" if sound else f"{value!r} where a list of Colours is expected"

    def to_json(self, value: Sequence[Colour]) -> list[str]:
        return [str(each) for each in value]

    def from_json(self, data: Any) -> list[Colour]:
        return [Colour.read(each) for each in data]

    def to_text(self, value: Sequence[Colour]) -> str:
        return " ".join(map(str, value))

    def parse(self, line: str) -> list[Colour]:
        return [Colour.read(word) for word in line.split()]

    def trial(self, value: Sequence[Colour]) -> Mapping[str, Any] | None:
        return {"line": self.to_text(value)}


class Paint:
    """Lines of `#ff0000 #00ff00 TAB #808000`."""

    suffixes = (".paint",)
    fields: Mapping[str, str] = {"colours": "colours", "mixed": "colour"}

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            colours, _, mixed = line.partition("\t")
            place = Place(str(path), number)
            try:
                fields: dict[str, Any] = {"colours": ColoursKind().parse(colours)}
                yield Example(fields | ({"mixed": Colour.read(mixed)} if labelled else {}), place)
            except ValueError as error:
                raise DataError(str(error), place=place) from None


class Lights:
    """Colours as three numbers each."""

    field = "colours"

    def fit(self, values: Iterable[Any]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        pass

    def encode(self, values: Sequence[Sequence[Colour]]) -> Column:
        flat = [colour.parts() for value in values for colour in value]
        lengths = torch.tensor([len(value) for value in values], dtype=torch.int64)
        return Column(torch.tensor(flat).view(-1, 3), lengths)

    def module(self) -> nn.Module:
        return AsTheyAre()


class AsTheyAre(nn.Module):
    output_size = 3

    def forward(self, column: Sequences) -> Sequences:
        return column


class MixHead:
    alignment: Alignment = "per_sequence"
    default_metrics: tuple[str, ...] = ()

    def __init__(self, target: str) -> None:
        self.target = target

    def fit(self, values: Iterable[Colour]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        pass

    def encode(self, values: Sequence[Colour]) -> Column:
        rows = torch.tensor([value.parts() for value in values]).view(-1, 3)
        return Column(rows, torch.ones(len(values), dtype=torch.int64))

    def module(self, input_size: int) -> nn.Module:
        return Mix(input_size)

    def answers(self, outputs: Tensor) -> list[Answer]:
        return [Answer(Colour(*row)) for row in outputs.tolist()]


class Mix(nn.Module):
    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, 3)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(len(target))

    def loss(self, states: States, target: Sequences) -> Tensor:
        return ((self.answer(states) - target.final) ** 2).sum()

    def answer(self, states: States) -> Tensor:
        scores: Tensor = self.project(states.final)
        return scores.float().sigmoid()


class MixConfig(Config):
    """The field to learn."""

    target: str | None = None


def build(config: MixConfig, context: HeadContext) -> MixHead:
    return MixHead(chosen_field("head mix learns", config.target, ("colour",), context.fields))


HEAD = Component(name="mix", config=MixConfig, build=build, summary="one colour")
FIELD_KINDS = (ColourKind(), ColoursKind())


@hookimpl
def seqlab_register_field_kinds() -> Iterable[FieldKind[Any]]:
    return FIELD_KINDS


@hookimpl
def seqlab_register_readers() -> list[Component[Any]]:
    return [
        Component(name="paint", config=Config, build=lambda *_: Paint(), summary="colours, a tab, a colour")
    ]


@hookimpl
def seqlab_register_featurizers() -> list[Component[Any]]:
    return [Component(name="lights", config=Config, build=lambda *_: Lights(), summary="three numbers")]


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]
