"""Faults of strangers' heads, kinds of field and writers end the command by name: exit 3, no traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stranger_cases import STRANGE, Stranger

from seqlab.cli.main import main

CLASS, COLOUR, SERIES = STRANGE["class"], STRANGE["colour"], STRANGE["series"]

FAULTS: dict[str, tuple[Stranger, str, str, str]] = {
    "too few answers": (
        CLASS,
        "ClassHead.answers = lambda self, outputs: [Answer('yes', 0.5)]",
        "head 'sentence_class': answers returned list of 1 where 7 Answers are expected; at ",
        "dev.tab:1",
    ),
    "no Answer": (
        CLASS,
        "ClassHead._answer = lambda self, row: 'yes'",
        "head 'sentence_class': answers returned 'yes' (str) where an Answer is expected; at ",
        "dev.tab:",
    ),
    "a value of another kind": (
        CLASS,
        "ClassHead._answer = lambda self, row: Answer(row.index(max(row)))",
        "head 'sentence_class': answers returned an Answer whose value ",
        "(int) where a label, a string, is expected; at ",
    ),
    "an alternative of another kind": (
        CLASS,
        "ClassHead._answer = lambda self, row: Answer('yes', 1.0, (Answer(3),))",
        "head 'sentence_class': answers returned an Answer with, among its alternatives, an Answer ",
        "dev.tab:",
    ),
    "alternatives that are no tuple": (
        CLASS,
        "ClassHead._answer = lambda self, row: Answer('yes', 1.0, None)",
        "head 'sentence_class': answers returned an Answer whose alternatives are None, not a tuple; at ",
        "dev.tab:",
    ),
    "details that are no mapping": (
        CLASS,
        "ClassHead._answer = lambda self, row: Answer('yes', 1.0, (), 'sure')",
        "head 'sentence_class': answers returned an Answer whose details are 'sure' (str), not a mapping",
        "dev.tab:",
    ),
    "answers raises": (
        CLASS,
        "ClassHead._answer = lambda self, row: row['best']",
        "head 'sentence_class': answers raised TypeError: ",
        "; at ",
    ),
    "answer raises": (
        CLASS,
        "Classifier.answer = lambda self, states: states.last",
        "head 'sentence_class': answer raised AttributeError: ",
        "; at ",
    ),
    "a loss that is nan": (
        CLASS,
        "Classifier.loss = lambda self, states, target: self.project(states.final).sum() * float('nan')",
        "head 'sentence_class': loss returned nan, though states and weights are finite; at ",
        "train.tab:",
    ),
    "a count that is nan": (
        CLASS,
        "import torch; Classifier.count = lambda self, target, lengths: torch.tensor(float('nan'))",
        "head 'sentence_class': count returned nan, though states and weights are finite; at ",
        "train.tab:",
    ),
    "a misspelt alignment": (
        CLASS,
        "ClassHead.alignment = 'per_sequences'",
        "head 'sentence_class' was built with alignment 'per_sequences' (str); did you mean 'per_sequence'?",
        "",
    ),
    "a target with numbers that are not finite": (
        SERIES,
        "ForecastHead._row = lambda self, value: [float('inf')] * 2",
        "head 'forecast': encode returned numbers that are not finite; at ",
        "train.csv:1",
    ),
    "a kind without a name": (
        COLOUR,
        "del ColourKind.name",
        "seqlab_register_field_kinds: field kind name None is not allowed",
        "",
    ),
    "a kind without a summary": (
        COLOUR,
        "del ColourKind.summary",
        "seqlab_register_field_kinds: field kind 'colour' has no summary, a string",
        "",
    ),
    "a kind whose fault raises": (
        COLOUR,
        "ColourKind.fault = lambda self, value: value.faults",
        "field kind 'colour': fault raised AttributeError: ",
        "train.paint:1",
    ),
    "a kind whose fault returns no string": (
        COLOUR,
        "ColourKind.fault = lambda self, value: False",
        "field kind 'colour': fault returned False where a string is expected; at ",
        "train.paint:1",
    ),
    "a kind without fault": (
        COLOUR,
        "del ColourKind.fault",
        "field kind 'colour': fault raised NotImplementedError",
        "train.paint:1",
    ),
    "a kind whose size raises": (
        COLOUR,
        "ColoursKind.size = lambda self, value: value / 2",
        "field kind 'colours': size raised TypeError: ",
        "",
    ),
}
"""What is done to a plugin's module after its code, and how the message begins and goes on."""

IN_PREDICTION: dict[str, tuple[Stranger, str, str, str]] = {
    "a kind whose to_json raises": (
        COLOUR,
        "ColourKind.to_json = lambda self, value: value.hex",
        "field kind 'colour': to_json raised AttributeError: ",
        "in.txt:1",
    ),
    "a kind whose to_json returns no JSON data": (
        COLOUR,
        "ColourKind.to_json = lambda self, value: value",
        "field kind 'colour': to_json returned ",
        "in.txt:1",
    ),
    "a kind whose parse raises what no value explains": (
        COLOUR,
        "ColoursKind.parse = lambda self, line: line.colours",
        "field kind 'colours': parse raised AttributeError: ",
        "in.txt:1",
    ),
    "a writer that raises": (
        COLOUR,
        WRITER := """
from seqlab.api import Writer
class Plain(Writer):
    name, summary = "jsonl2", "plain"
    def write(self, prediction, context):
        return self.written
@hookimpl
def seqlab_register_writers():
    return [Plain()]
""",
        "writer 'jsonl2': write raised AttributeError: ",
        "in.txt:1",
    ),
    "a writer that returns no string": (
        COLOUR,
        WRITER.replace("self.written", "b'x'"),
        "writer 'jsonl2': write returned ",
        "in.txt:1",
    ),
}


def planted(folder: Path, stranger: Stranger, change: str) -> list[str]:
    """Write the plugins with a change at the end of the first; return the options that name them."""
    options = []
    for file in stranger.files:
        copy = folder / file.name
        copy.write_text(file.read_text() + (f"\n\n{change}\n" if file == stranger.files[0] else ""))
        options += ["--plugin", str(copy)]
    return options


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str]]]:
    def run(*args: object) -> tuple[int, str]:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        return code, capfd.readouterr().err

    with contextlib.chdir(tmp_path):
        yield run


def check(told: tuple[int, str], plugin: str, begins: str, goes_on: str) -> None:
    code, said = told
    (line,) = (each for each in said.splitlines() if each.startswith("error: "))
    assert line.startswith(f"error: plugin {plugin!r}: {begins}"), line
    assert goes_on in line, line
    assert "Traceback" not in said
    assert code == 3


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_ends_with_the_name_of_what_is_at_fault(name: str, command: Any, tmp_path: Path) -> None:
    stranger, change, begins, goes_on = FAULTS[name]
    recipe, options = stranger.write(tmp_path), planted(tmp_path, stranger, change)
    told = command("run", recipe, "--out", "run", "--device", "cpu", *options)
    check(told, stranger.plugins[0], begins, goes_on)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    recipe = COLOUR.write(folder)
    assert main(["run", str(recipe), "--out", str(folder / "run"), "--device", "cpu", *COLOUR.options]) == 0
    return folder / "run/model"


@pytest.mark.parametrize("name", IN_PREDICTION)
def test_a_prediction_ends_with_the_name_of_what_is_at_fault(
    name: str, package: Path, command: Any, tmp_path: Path
) -> None:
    stranger, change, begins, goes_on = IN_PREDICTION[name]
    options = planted(tmp_path, stranger, change)
    (tmp_path / "in.txt").write_text(f"{COLOUR.lines[0]}\n")
    told = command("predict", package, "in.txt", "--to", "jsonl2" if "writer" in name else "jsonl", *options)
    check(told, stranger.plugins[0], begins, goes_on)


def test_a_value_that_a_kind_refuses_is_the_users_own_fault(
    package: Path, command: Any, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("#ff0000 red\n")
    code, said = command("predict", package, "in.txt", *COLOUR.options)
    assert (code, said) == (4, "error: in.txt:1: 'red' is no colour; write one like #ff8000\n")
