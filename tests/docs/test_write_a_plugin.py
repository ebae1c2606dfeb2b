"""The guide shows the files of the example plugin as they are, and what else it shows works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from fake_distributions import Distribution, install

from seqlab import Lab
from seqlab.api import RunInfo
from seqlab.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "seqlab-window"
GUIDE = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text()
RUN = RunInfo(name="pos", folder=Path("runs/pos"), recipe={}, resumed=False)


class Block(NamedTuple):
    language: str
    title: str
    text: str


BLOCKS = [
    Block(*found) for found in re.findall(r'^```(\w+)(?: title="([^"\n]*)")?\n(.*?)^```$', GUIDE, re.M | re.S)
]


def titled(title: str) -> str:
    return next(block.text for block in BLOCKS if block.title == title)


def plugin_files() -> list[str]:
    files = (path.relative_to(PLUGIN) for path in PLUGIN.rglob("*") if path.is_file())
    return sorted(
        str(file) for file in files if not any(part.startswith((".", "__py")) for part in file.parts)
    )


def test_every_fence_is_read() -> None:
    assert len(re.findall(r"^```", GUIDE, re.M)) == 2 * len(BLOCKS)


def test_every_file_of_the_plugin_is_listed() -> None:
    listed = next(block.text for block in BLOCKS if block.text.startswith("seqlab-window/")).splitlines()
    assert listed[0] == "seqlab-window/"
    assert sorted(line.strip() for line in listed[1:]) == plugin_files()


@pytest.mark.parametrize("name", [name for name in plugin_files() if name != "README.md"])
def test_a_file_is_shown_as_it_is(name: str) -> None:
    assert titled(name) == (PLUGIN / name).read_text()


def test_the_head_in_one_file_is_trained_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mood.py", "train.mood", "dev.mood", "mood.yaml"):
        (tmp_path / name).write_text(titled(name))
    monkeypatch.chdir(tmp_path)
    options = ["--plugin", "mood.py"]
    assert main(["check", "mood.yaml", *options]) == 0
    assert main(["run", "mood.yaml", "--device", "cpu", *options]) == 0
    assert " | seqlab predict --plugin mood.py runs/mood/model -" in capsys.readouterr().out.splitlines()[-1]
    model = Lab(plugin_files=["mood.py"], entry_points=False).open("runs/mood/model", device="cpu")
    assert [model(text.split()).label for text in ("no good", "good")] == ["bad", "good"]
    assert main(["predict", "runs/mood/model", "dev.mood", "--to", "jsonl", *options]) == 0


def test_the_head_in_one_file_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mood.py").write_text(titled("mood.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, Callable[[], None]] = {}
    exec(titled("test_mood.py"), names)
    names["test_it_keeps_the_contract_of_heads"]()


def test_the_plugin_in_one_file_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "announce.py"
    file.write_text(titled(file.name))
    lab = Lab(plugin_files=[file], entry_points=False)
    lab.plugins.call("seqlab_run_finished", run=RUN, report={"seconds": 61.2}, error=None)
    lab.plugins.call("seqlab_run_finished", run=RUN, report=None, error=KeyboardInterrupt())
    assert capsys.readouterr().out == "pos took 61 seconds\n"


def test_the_plugin_of_a_program_works(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Lab] = {}
    exec(next(block.text for block in BLOCKS if block.language == "python" and not block.title), names)
    names["lab"].plugins.call("seqlab_run_started", run=RUN)
    assert capsys.readouterr().out == "pos begins in runs/pos\n"


def test_the_warning_is_the_one_that_a_misspelt_hook_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = titled("src/seqlab_window/__init__.py").replace(
        "seqlab_register_encoders", "seqlab_register_encoder"
    )
    install(
        tmp_path,
        Distribution(
            name="seqlab-window", version="0.1.0", plugin="window", module="fake_window", source=source
        ),
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("SEQLAB_DISABLE_PLUGINS", raising=False)
    assert main(["components"]) == 0
    assert capsys.readouterr().err in [block.text for block in BLOCKS]
    assert main(["--strict-plugins", "components"]) == 3


def test_the_commands_exist() -> None:
    lines = "".join(block.text for block in BLOCKS if block.language == "console")
    shown = re.findall(r"\bseqlab (\w+)", lines)
    assert shown
    assert set(shown) <= set(COMMANDS)
