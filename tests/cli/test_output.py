"""Lines and data on standard output: a terminal is never steered by what they hold."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seqlab
from seqlab.cli.main import main
from seqlab.cli.output import headed, say

Process = Callable[..., "subprocess.CompletedProcess[str]"]

EVIL = "\x1b]0;owned\x07\x9b31m\u202e"
SHOWN = r"\u001b]0;owned\u0007\u009b31m\u202e"


def on_a_terminal(*args: object, **options: object) -> bytes:
    """Return what `python -m seqlab ARGS` shows where its output and errors are a terminal."""
    master, slave = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": str(Path(seqlab.__file__).parents[1]),
        "SEQLAB_DISABLE_PLUGINS": "all",
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "seqlab", *map(str, args)]
    process = subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=environment)
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 1 << 16):
            shown += part
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    os.close(master)
    process.wait(120)
    return shown


def test_a_line_for_people_has_no_control_characters_but_those_of_its_own_style(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say(f"{EVIL}\tand\nmore")
    assert capsys.readouterr().out == f"{SHOWN}\tand\nmore\n"
    assert headed(EVIL, EVIL) == f"\x1b[1m{SHOWN}\x1b[0m{SHOWN}"


def test_predictions_are_data_in_a_pipe_and_printable_on_a_terminal(
    package: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "text").write_text(f"zzz{EVIL} x\n")
    assert main(["predict", str(package), str(tmp_path / "text")]) == 0
    assert f"zzz{EVIL}\t".encode() in capfdbinary.readouterr().out
    assert main(["predict", str(package), str(tmp_path / "text"), "--to", "jsonl"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["tokens"] == [f"zzz{EVIL}", "x"]
    shown = on_a_terminal("predict", package, tmp_path / "text")
    assert f"zzz{SHOWN}\t".encode() in shown
    assert not {0x1B, 0x07} & set(shown)


PLUGIN = """
from seqlab.api import Component, Config, hookimpl

@hookimpl
def seqlab_register_encoders():
    def build(config, context):
        raise ValueError("\\x1b[31mno\\u202e")

    return [Component(name="evil", config=Config, build=build, summary="an \\x1b[31mevil\\x07 encoder")]
"""


@pytest.mark.parametrize("command", [["components"], ["components", "encoder", "evil"], ["schema"]])
def test_what_a_plugin_says_is_shown_printable(
    command: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "evil.py").write_text(PLUGIN)
    assert main([*command, "--plugin", str(tmp_path / "evil.py")]) == 0
    printed = capfdbinary.readouterr().out
    assert rb"\u001b[31mevil\u0007" in printed or command == ["schema"]
    assert not {0x1B, 0x07} & set(printed)


def test_messages_are_printable_wherever_they_come_from(
    toy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "evil.py"
    plugin.write_text(PLUGIN)
    recipe = tmp_path / "evil.yaml"
    recipe.write_text(f'extends: {toy.name}\nname: "x"\nencoder: "\\e[31m\\u202Elstm"\n')
    odd = tmp_path / "a\x1b[2Jb.conllu"
    odd.write_text("1\tx\n")
    for args in (
        ["run", str(toy), "--plugin", str(plugin), "encoder=evil"],  # a plugin's error
        ["run", str(recipe)],  # a string of a recipe
        ["check", str(tmp_path / f"{EVIL}.yaml")],  # the name of a file
        ["run", str(toy), f"data.train={tmp_path}/a*b.conllu"],  # data
        [EVIL],  # the command line
        ["predict", "--from", EVIL],  # click's own words
        ["predict", str(tmp_path), "-", "--to", EVIL],  # a format
        ["predict", str(tmp_path / EVIL), "-"],
    ):
        assert main(args) not in (0, 1)
        captured = capfd.readouterr()
        assert captured.err
        assert "\\u001b" in captured.err or "\\x1b" in captured.err
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(captured.out + captured.err)


LOGS = r"""
import logging
from seqlab.api import hookimpl

@hookimpl
def seqlab_recipe_checked(recipe):
    logging.getLogger("seqlab.evil").warning("about %s", "\x1b[2J")
"""


def test_warnings_of_the_log_are_printable(
    toy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs.py").write_text(LOGS)
    assert main(["check", str(toy), "--plugin", str(tmp_path / "logs.py")]) == 0
    assert capfd.readouterr().err == "warning: about \\u001b[2J\n"
