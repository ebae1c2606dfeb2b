"""Every fault of every component that can be planted is named: plugin, component, method, example; exit 3.

`docs/reference/faults.md` holds what each of them prints, a row each. After a change of messages
`python tests/test_calling.py` writes the page anew.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from faulty import PARTS, PLANTED

from seqlab import Lab, PluginError
from seqlab.cli.main import main

PLUGIN = Path(__file__).with_name("faulty.py")
PAGE = Path(__file__).parents[1] / "docs/reference/faults.md"

DATA = """\
la/D domo/N brulas/V
la/D arbo/N
katos/N kuras/V
la/D granda/A hundo/N dormas/V
"""

RECIPE = """\
name: planted
data: {reader: words, train: train.words, dev: dev.words}
features: [lengths]
augment: [shaking]
encoder: rows
head: tags
observers: [watching, checkpoints]
train: {epochs: 1, batch_tokens: 6}
"""

COMMANDS = {
    "run": "run planted.yaml --out run --device cpu",
    "evaluate": "evaluate model dev.words --device cpu",
    "evaluate --errors": "evaluate model dev.words --errors errors.txt --device cpu",
    "predict": "predict model dev.words --device cpu",
    "predict --to conllu": "predict model dev.words --to conllu --device cpu",
}

ELSEWHERE = {
    "reader: write raises": ["predict --to conllu"],
    "reader: write returns bytes": ["predict --to conllu"],
    "reader: read raises at the second example": ["run", "evaluate", "predict"],
    "reader: read yields a dict": ["run", "evaluate", "predict"],
    "reader: read omits a field": ["run", "predict"],
    "featurizer: restore raises": ["predict"],
    "featurizer: encode raises at one example": ["run", "evaluate", "predict", "Python"],
    "featurizer: encode returns too few items": ["run", "predict"],
    "featurizer: module.forward raises": ["run", "evaluate", "predict"],
    "encoder: forward raises": ["run", "evaluate", "predict", "Python"],
    "encoder: forward returns no tuple": ["run", "evaluate", "predict"],
    "encoder: forward returns rows of another size": ["run", "evaluate", "predict"],
    "head: restore raises": ["predict"],
    "head: module.predict raises": ["run", "evaluate", "predict"],
    "head: decode raises": ["run", "evaluate", "predict", "Python"],
    "head: decode returns too few labels": ["run", "evaluate", "predict", "Python"],
    "metric: restore raises": ["predict"],
    "metric: update raises": ["run", "evaluate"],
    "metric: compute returns a float": ["run", "evaluate"],
    "metric: listing raises": ["evaluate --errors"],
    "metric: listing returns None": ["evaluate --errors"],
}
"""Where faults show that are not (or not only) tried in a run."""

CASES = [
    (f"{kind}: {fault}", command)
    for kind, faults in PARTS.items()
    for fault in faults
    for command in ELSEWHERE.get(f"{kind}: {fault}", ["run"])
]

NO_FAULTS = {"encoder: forward detaches its output", "encoder: a parameter is not used"}
"""What a run can live with: it warns after the first step."""


def write_planted(folder: Path) -> None:
    """Write the data, the recipe and, trained with sound components, the package `model`."""
    for split in ("train", "dev"):
        (folder / f"{split}.words").write_text(DATA)
    (folder / "planted.yaml").write_text(RECIPE)
    assert command(folder, "run", "")[0] == 0
    (folder / "run/model").rename(folder / "model")


def command(folder: Path, name: str, fault: str) -> tuple[int, str]:
    """Run one of the commands with a fault planted; return its exit code and what it said of errors."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    (folder / "errors.txt").unlink(missing_ok=True)
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(PLANTED, fault)
        patch.setenv("SEQLAB_DISABLE_PLUGINS", "all")
        stack.enter_context(contextlib.redirect_stderr(said))
        stack.enter_context(contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())))
        if name == "Python":
            return called_from_python()
        code = main([*COMMANDS[name].split(), "--plugin", str(PLUGIN)])
    return code, said.getvalue()


def called_from_python() -> tuple[int, str]:
    """Predict with the package in Python; return the error's exit code and message."""
    model = Lab(plugin_files=[PLUGIN]).open("model", device="cpu")
    with pytest.raises(PluginError) as caught:
        model.predict([["la", "domo"], ["arbo"]])
    assert caught.value.__cause__, "the traceback of the plugin's own code"
    return caught.value.exit_code, f"error: {caught.value}\n"


def plain(message: str) -> str:
    """Return the line of a message without what changes from machine to machine and edit to edit."""
    (line,) = (line for line in message.splitlines() if "faulty" in line)
    line = re.sub(r"[^\s(]*/faulty\.py:\d+", "faulty.py:LINE", line.removeprefix("error: "))
    line = re.sub(r": \[torch.*?\.py:\d+\)", " ...", line)  # torch's own words
    return re.sub(r"/\S*/(?=\w+\.words)", "", line)


def row(fault: str, name: str, code: int, message: str) -> str:
    shown = message.replace("|", "\\|")
    return f"| {fault.partition(': ')[2]} | {name} | {code} | {shown} |"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("planted")
    write_planted(made)
    return made


@pytest.mark.parametrize(("fault", "name"), CASES)
def test_a_planted_fault_is_named_as_the_page_says(folder: Path, fault: str, name: str) -> None:
    code, said = command(folder, name, fault)
    assert "Traceback" not in said
    message = plain(said)
    expected = (0, "warning: ") if fault in NO_FAULTS else (3, "plugin 'faulty': ")
    assert (code, message[: len(expected[1])]) == expected
    assert row(fault, name, code, message) in PAGE.read_text().splitlines()


def test_the_page_has_no_other_rows() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert len([line for line in rows if not line.startswith("| fault |")]) == len(CASES)


def written_page() -> str:
    """Return the page with a table of each kind, made anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_planted(folder)
        parts = [PAGE.read_text().partition("## ")[0].rstrip()]
        for kind in PARTS:
            parts += [
                "",
                f"## {kind.capitalize()}",
                "",
                "| fault | command | exit | message |",
                "|---|---|---|---|",
            ]
            for fault, command_name in CASES:
                if fault.startswith(f"{kind}: "):
                    code, said = command(folder, command_name, fault)
                    parts.append(row(fault, command_name, code, plain(said)))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written_page())
