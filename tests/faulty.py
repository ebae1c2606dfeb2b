"""A plugin with a sound component of every kind, and a table of the faults that can be planted in them.

The environment's SEQLAB_PLANTED names the fault: `encoder: forward raises`. A fault is a method or an
attribute of a component (or of its module) and what it becomes, made of what it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import (
    Answer,
    Column,
    Component,
    Config,
    Example,
    Observer,
    Place,
    Sequences,
    State,
    hookimpl,
)

PLANTED = "SEQLAB_PLANTED"
SIZE = 4


# --- sound components ------------------------------------------------------------------------------------


class WordReader:
    """Lines of `word/LABEL`, or of words where nothing is labelled."""

    def __init__(self) -> None:
        self.suffixes = (".words",)
        self.fields: Mapping[str, Any] = {"tokens": "tokens", "tags": "labels"}

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            yield self.example([word.split("/") for word in line.split()], Place(path.name, number), labelled)

    def example(self, words: list[list[str]], place: Place, labelled: bool) -> Example:
        fields = {"tokens": [word[0] for word in words]}
        return Example(fields | ({"tags": [word[1] for word in words]} if labelled else {}), place, words)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        return " ".join(map("/".join, zip(example.fields["tokens"], answers["tags"], strict=True))) + "\n"


class Lengths:
    """Frames: the length of each word, and how many words there are."""

    field = "tokens"

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        self.longest = max(len(word) for value in values for word in value)

    def state(self) -> dict[str, Any]:
        return {"longest": self.longest}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.longest = state["longest"]

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        frames = [[min(len(word), self.longest), len(value)] for value in values for word in value]
        lengths = torch.tensor([len(value) for value in values])
        return Column(torch.tensor(frames, dtype=torch.float32).view(-1, 2), lengths)

    def module(self) -> nn.Module:
        return planted("featurizer", LengthVectors())


class LengthVectors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output_size = SIZE
        self.linear = nn.Linear(2, SIZE)

    def forward(self, column: Sequences) -> Sequences:
        return column.with_data(self.linear(column.data))


class Rows(nn.Module):
    """A linear layer on each row."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = SIZE
        self.carries_state = True
        self.linear = nn.Linear(input_size, SIZE)
        self.spare: nn.Parameter | None = None

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        return inputs.with_data(self.linear(inputs.data).tanh()), ()

    def final(self, outputs: Sequences, before: Callable[[], Tensor]) -> Tensor:
        return outputs.final

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths


class Tags:
    def __init__(self) -> None:
        self.target = "tags"
        self.alignment = "per_state"
        self.default_metrics: tuple[str, ...] = ("share",)

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        self.tags = sorted({tag for value in values for tag in value})

    def state(self) -> dict[str, Any]:
        return {"tags": self.tags}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.tags = state["tags"]

    def states_needed(self, values: Sequence[Any]) -> list[int]:
        return [1] * len(values)

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        return Column.of([[self.tags.index(tag) for tag in value] for value in values])

    def module(self, input_size: int) -> nn.Module:
        return planted("head", TagScores(input_size, len(self.tags)))

    def answers(self, outputs: Sequences) -> list[Answer]:
        return [Answer([self.tags[number] for number in ids.tolist()]) for ids in outputs.to_list()]


class TagScores(nn.Module):
    def __init__(self, input_size: int, count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, count)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(len(target.data))

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return functional.cross_entropy(self.linear(states.data), target.data, reduction="sum")

    def answer(self, states: Sequences) -> Sequences:
        return states.with_data(
            self.linear(states.data + states.final[states.layout.items] * 0).argmax(dim=-1)
        )


class Share:
    """The share of right tags."""

    def __init__(self) -> None:
        self.higher_is_better = True

    def fit(self, examples: Iterable[Example]) -> None:
        self.seen = len(list(examples))

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.seen = state["seen"]

    def reset(self) -> None:
        self.right = self.all = 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        self.right += sum(map(str.__eq__, gold, answer.value))
        self.all += len(gold)

    def compute(self) -> dict[str, float]:
        return {"share": self.right / self.all} if self.all else {}

    def listing(self) -> str:
        return f"{self.right} of {self.all}\n"


class Shaking:
    """Frames of features, a little larger."""

    stage = "features"
    keeps_length = True

    def __call__(self, value: Any, generator: Any) -> Any:
        return self.shake(value)

    def shake(self, value: Any) -> Any:
        return value * np.float32(1.01)


# --- faults ----------------------------------------------------------------------------------------------


def raising(_good: Any) -> Callable[..., Any]:
    def method(*_facts: Any, **_more: Any) -> Any:
        raise ValueError("boom")

    return method


def returning(value: Any) -> Callable[[Any], Callable[..., Any]]:
    """Return the fault of a method that returns something whatever it is given."""
    return lambda _good: lambda *_facts, **_more: value


def changing(change: Callable[[Any], Any]) -> Callable[[Any], Callable[..., Any]]:
    """Return the fault of a method that changes what it was going to return."""
    return lambda good: lambda *facts, **more: change(good(*facts, **more))


def valued(change: Callable[[Any], Any]) -> Callable[[Any], Callable[..., Any]]:
    """Return the fault of a head that changes the value of its second answer."""

    def changed(answers: list[Answer]) -> list[Answer]:
        return [*answers[:1], replace(answers[1], value=change(answers[1].value)), *answers[2:]]

    return changing(changed)


def returning_first(_good: Any) -> Callable[..., Any]:
    """Return the fault of a method that returns the first thing that it is given."""
    return lambda first, *_more: first


def being(value: Any) -> Callable[[Any], Any]:
    """Return the fault of an attribute that is something else."""
    return lambda _good: value


def exiting(_good: Any) -> Callable[..., Any]:
    def method(*_facts: Any, **_more: Any) -> Any:
        raise SystemExit(0)

    return method


def on_word(word: str) -> Callable[[Any], Callable[..., Any]]:
    """Return the fault of a method of many values that fails at one of them."""

    def faulty(good: Any) -> Callable[..., Any]:
        def method(values: Any) -> Any:
            for value in values:
                if word in value:
                    raise KeyError(word)
            return good(values)

        return method

    return faulty


def later(change: Callable[[Example], Any]) -> Callable[[Any], Callable[..., Any]]:
    """Return the fault of a reader whose second example is not what it must be."""

    def faulty(good: Any) -> Callable[..., Any]:
        def method(path: Path, *, labelled: bool = True) -> Iterator[Any]:
            for number, example in enumerate(good(path, labelled=labelled)):
                yield change(example) if number == 1 else example

        return method

    return faulty


def with_fields(**fields: Any) -> Callable[[Example], Example]:
    return lambda example: replace(example, fields={**example.fields, **fields})


def without(field: str) -> Callable[[Example], Example]:
    return lambda example: replace(
        example, fields={name: value for name, value in example.fields.items() if name != field}
    )


def fail(_example: Example) -> Any:
    raise ValueError("boom")


def wider(states: Sequences) -> Sequences:
    return states.with_data(torch.cat([states.data, states.data], dim=1))


def fewer(states: Sequences) -> Sequences:
    return Sequences.from_list([sequence[:1] for sequence in states.to_list()])


def detached(found: Any) -> Any:
    states, state = found
    return states.with_data(states.data.detach()), state


def inplace(good: Any) -> Callable[..., Any]:
    """Return the fault of an encoder that overwrites what its backward pass needs."""

    def forward(inputs: Sequences, state: State | None = None) -> Any:
        states, after = good(inputs, state)
        squared = states.data.exp()
        kept = squared * squared
        squared.add_(1)
        return states.with_data(kept), after

    return forward


def overwriting(frames: Any) -> Any:
    frames += 1
    return frames


Fault = tuple[str, Callable[[Any], Any]]

PARTS: Mapping[str, Mapping[str, Fault]] = {
    "reader": {
        "build raises": ("", raising),
        "read raises": ("read", raising),
        "read exits": ("read", exiting),
        "read raises at the second example": ("read", later(fail)),
        "read yields a dict": ("read", later(lambda example: dict(example.fields))),
        "read omits a field": ("read", later(without("tokens"))),
        "read omits the labels": ("read", later(without("tags"))),
        "read yields a string of tokens": ("read", later(with_fields(tokens="la dom"))),
        "read yields numbers": ("read", later(with_fields(tokens=[1, 2]))),
        "read yields too few labels": ("read", later(with_fields(tags=["N"]))),
        "read yields a place that is a string": ("read", later(lambda each: replace(each, place="line 2"))),  # type: ignore[arg-type]
        "read returns None": ("read", returning(None)),
        "write raises": ("write", raising),
        "write returns bytes": ("write", changing(str.encode)),
        "fields is a list": ("fields", being(["tokens", "tags"])),
        "fields has an unknown kind": ("fields", being({"tokens": "token", "tags": "labels"})),
        "suffixes is a string": ("suffixes", being(".words")),
    },
    "featurizer": {
        "build raises": ("", raising),
        "field is None": ("field", being(None)),
        "fit raises": ("fit", raising),
        "fit raises at one example": ("fit", on_word("arbo")),
        "state raises": ("state", raising),
        "state returns a list": ("state", returning([])),
        "state returns a set": ("state", returning({"words": [{"la"}]})),
        "state has keys that are numbers": ("state", returning({"ids": {1: "la"}})),
        "restore raises": ("restore", raising),
        "encode raises": ("encode", raising),
        "encode raises at one example": ("encode", on_word("arbo")),
        "encode returns a list": ("encode", returning([])),
        "encode returns too few items": (
            "encode",
            changing(lambda column: column.select(torch.arange(len(column.lengths) - 1))),
        ),
        "encode returns nan": (
            "encode",
            changing(lambda column: Column(column.values / (column.values != 5), column.lengths)),
        ),
        "encode returns lengths in int32": (
            "encode",
            changing(lambda column: Column(column.values, column.lengths.int())),
        ),
        "module raises": ("module", raising),
        "module returns None": ("module", returning(None)),
        "module has no output_size": ("module.output_size", being(None)),
        "module.forward raises": ("module.forward", raising),
        "module.forward returns a tensor": ("module.forward", changing(lambda found: found.data)),
        "module.forward returns rows of another size": ("module.forward", changing(wider)),
        "module.forward returns fewer rows": ("module.forward", changing(fewer)),
    },
    "augmenter": {
        "build raises": ("", raising),
        "stage is unknown": ("stage", being("spectra")),
        "keeps_length is None": ("keeps_length", being(None)),
        "call raises": ("shake", raising),
        "call returns a list": ("shake", changing(lambda frames: frames.tolist())),
        "call returns float64": ("shake", changing(lambda frames: frames.astype(float))),
        "call returns fewer features": ("shake", changing(lambda frames: frames[:, :1])),
        "call returns fewer frames": ("shake", changing(lambda frames: frames[:1])),
        "call returns nan": ("shake", changing(lambda frames: frames * np.float32("nan"))),
        "call writes into its frames": ("shake", lambda _good: overwriting),
    },
    "encoder": {
        "build raises": ("", raising),
        "output_size is None": ("output_size", being(None)),
        "carries_state is None": ("carries_state", being(None)),
        "forward raises": ("forward", raising),
        "forward multiplies wrong shapes": ("linear", being(nn.Linear(SIZE + 1, SIZE))),
        "forward returns no tuple": ("forward", changing(lambda found: found[0])),
        "forward returns a tensor": ("forward", changing(lambda found: (found[0].data, found[1]))),
        "forward returns rows of another size": (
            "forward",
            changing(lambda found: (wider(found[0]), found[1])),
        ),
        "forward returns fewer rows": ("forward", changing(lambda found: (fewer(found[0]), found[1]))),
        "forward returns float64": (
            "forward",
            changing(lambda found: (found[0].with_data(found[0].data.double()), found[1])),
        ),
        "forward returns a state that is a tensor": (
            "forward",
            changing(lambda found: (found[0], found[0].data)),
        ),
        "forward works in place": ("forward", inplace),
        "final raises": ("final", raising),
        "final returns Sequences": ("final", returning_first),
        "final returns one row for all": ("final", changing(lambda found: found[:1])),
        "output_lengths raises": ("output_lengths", raising),
        "output_lengths returns a list": ("output_lengths", changing(list)),
        "output_lengths is wrong": ("output_lengths", changing(lambda lengths: lengths + 1)),
        "forward detaches its output": ("forward", changing(detached)),
        "a parameter is not used": ("spare", being(nn.Parameter(torch.zeros(2)))),
    },
    "head": {
        "build raises": ("", raising),
        "target is not there": ("target", being("tag")),
        "default_metrics is unknown": ("default_metrics", being(("shares",))),
        "fit raises": ("fit", raising),
        "state returns None": ("state", returning(None)),
        "restore raises": ("restore", raising),
        "alignment is unknown": ("alignment", being("per_label")),
        "states_needed raises": ("states_needed", raising),
        "states_needed returns too few": ("states_needed", returning([1])),
        "encode raises at one example": ("encode", on_word("V")),
        "encode returns None": ("encode", returning(None)),
        "encode returns a table": (
            "encode",
            changing(lambda column: Column(column.values * 0, column.lengths, Column.of([[1]]))),
        ),
        "module raises": ("module", raising),
        "module returns an encoder": ("module", lambda _good: Rows),
        "module.count raises": ("module.count", raising),
        "module.count returns a float": ("module.count", returning(3.0)),
        "module.loss raises": ("module.loss", raising),
        "module.loss returns a float": ("module.loss", returning(1.0)),
        "module.loss returns one loss per row": (
            "module.loss",
            changing(lambda loss: loss.repeat(3)),
        ),
        "module.loss is detached": ("module.loss", changing(torch.Tensor.detach)),
        "module.answer raises": ("module.answer", raising),
        "answers raises": ("answers", raising),
        "answers returns None": ("answers", returning(None)),
        "answers returns too few": ("answers", changing(lambda answers: answers[1:])),
        "answers returns lists of labels": (
            "answers",
            changing(lambda answers: [answer.value for answer in answers]),
        ),
        "answers returns a string as a value": ("answers", valued("".join)),
        "answers returns numbers as labels": ("answers", valued(lambda tags: [len(tag) for tag in tags])),
        "answers returns too few labels": ("answers", valued(lambda tags: tags[1:])),
        "answers returns a wrong alternative": (
            "answers",
            changing(lambda answers: [replace(answer, alternatives=(None,)) for answer in answers]),
        ),
    },
    "metric": {
        "build raises": ("", raising),
        "higher_is_better is None": ("higher_is_better", being(None)),
        "fit raises": ("fit", raising),
        "state returns a tensor": ("state", returning({"seen": torch.zeros(2)})),
        "restore raises": ("restore", raising),
        "reset raises": ("reset", raising),
        "update raises": ("update", raising),
        "compute raises": ("compute", raising),
        "compute returns a float": ("compute", returning(0.5)),
        "compute returns a string": ("compute", returning({"share": "high"})),
        "compute returns nan": ("compute", returning({"share": float("nan")})),
        "compute leaves out its figure": ("compute", lambda good: moody(good)),
        "compute calls a figure loss": ("compute", returning({"loss": 1.0})),
        "listing raises": ("listing", raising),
        "listing returns None": ("listing", returning(None)),
    },
    "observer": {
        "build raises": ("", raising),
        "state returns a tensor": ("state", returning({"seen": torch.zeros(2)})),
        **{
            f"{event} raises": (event, raising)
            for event in (
                "training_started",
                "epoch_started",
                "step_finished",
                "evaluated",
                "epoch_finished",
                "savepoint",
                "training_finished",
                "close",
            )
        },
    },
}


def moody(good: Any) -> Callable[..., Any]:
    """Return the fault of a metric that has a figure for gold answers only."""

    def compute() -> dict[str, float]:
        found: dict[str, float] = good()
        return found if found["share"] == 1 else {"other": 0.0}

    return compute


def planted(kind: str, made: Any) -> Any:
    """Return a component, or the module of one, with the fault that the environment names."""
    wanted, _, name = os.environ.get(PLANTED, "").partition(": ")
    if wanted != kind:
        return made
    attribute, fault = PARTS[kind][name]
    owner, _, below = attribute.rpartition(".")
    if bool(owner) == isinstance(made, LengthVectors | TagScores) and below:
        setattr(made, below, fault(getattr(made, below)))
    return made


def component(kind: str, name: str, make: Callable[[Any], Any]) -> list[Component[Any]]:
    """Return the one component of a kind."""

    def build(_config: Config, context: Any) -> Any:
        if os.environ.get(PLANTED, "") == f"{kind}: build raises":
            raising(None)()
        return planted(kind, make(context))

    return [Component(name=name, config=Config, build=build, summary="for the tests")]


@hookimpl
def seqlab_register_readers() -> list[Component[Any]]:
    return component("reader", "words", lambda _context: WordReader())


@hookimpl
def seqlab_register_featurizers() -> list[Component[Any]]:
    return component("featurizer", "lengths", lambda _context: Lengths())


@hookimpl
def seqlab_register_augmenters() -> list[Component[Any]]:
    return component("augmenter", "shaking", lambda _context: Shaking())


@hookimpl
def seqlab_register_encoders() -> list[Component[Any]]:
    return component("encoder", "rows", lambda context: Rows(context.input_size))


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return component("head", "tags", lambda _context: Tags())


@hookimpl
def seqlab_register_metrics() -> list[Component[Any]]:
    return component("metric", "share", lambda _context: Share())


@hookimpl
def seqlab_register_observers() -> list[Component[Any]]:
    return component("observer", "watching", lambda _context: Observer())
