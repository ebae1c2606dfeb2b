"""Writers of plugins: whose they are, how they are used, and what becomes of those that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_distributions import Distribution, install, write_module

from seqlab import Lab
from seqlab.api import Prediction, Writer, WriterContext, hookimpl
from seqlab.cli.main import main
from seqlab.errors import PluginError
from seqlab.plugin import Plugins

HOOK = "plugin 'mine': seqlab_register_writers: "
INSTANCE = "an instance of a subclass of seqlab.api.Writer"

SOURCE = """
    from seqlab.api import Writer, hookimpl

    class Loud(Writer):
        name = {name!r}
        summary = "labels in capitals"

        def write(self, prediction, context):
            return " ".join(tag.upper() for tag in prediction.tags) + "!\\n"

    @hookimpl
    def seqlab_register_writers():
        return [Loud()]
"""


class Loud(Writer):
    summary = "labels in capitals"

    def __init__(self, name: str = "loud") -> None:
        self.name = name

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        return f"{prediction.value}\n"


class NoSummary(Writer):
    name = "loud"


def writers(*offered: Any) -> SimpleNamespace:
    return SimpleNamespace(seqlab_register_writers=hookimpl(lambda: list(offered)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_module(tmp_path / "shouts.py", SOURCE.format(name="loud"))


def test_hook_register_writers(
    package: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`seqlab predict --to` writes in the plugin's format."""
    (tmp_path / "in.txt").write_text("la katos kuras\n\n")
    asked = ["predict", str(package), str(tmp_path / "in.txt"), "--device", "cpu"]
    assert main([*asked, "--to", "loud", "--plugin", str(file)]) == 0
    assert capsys.readouterr().out == "DET NOUN VERB!\n!\n"


def test_an_unknown_format_is_told_the_nearest(
    package: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(package), "-", "--to", "lout", "--plugin", str(file)]) == 2
    assert (
        "--to: unknown format 'lout'; did you mean 'loud'?; one of: conllu, data, jsonl, loud, tsv"
        in capsys.readouterr().err
    )


def test_every_writer_has_an_owner() -> None:
    lab = Lab(entry_points=False)
    lab.plugins.add(writers(Loud("b"), Loud("a")), "mine")
    registry = lab.registry
    assert {"a", "b", "jsonl"} <= set(registry.writers())
    assert list(registry.writers()) == sorted(registry.writers())
    assert (registry.writer_owner("a"), registry.writer_owner("jsonl")) == ("mine", "seqlab")
    assert lab.plugins.infos[-1].writers == ("b", "a")


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (lambda: None, "returned None (NoneType) where a list of writers is expected"),
        (lambda: ["loud"], f"returned 'loud' (str) where {INSTANCE} is expected"),
        (lambda: [Loud], f"returned the class Loud where {INSTANCE} is expected"),
        (lambda: [Writer()], "writer name None is not allowed; it must match [a-z][a-z0-9_]* like 'jsonl'"),
        (lambda: [Loud("so loud")], "writer name 'so loud' is not allowed; it must match [a-z][a-z0-9_]*"),
        (lambda: [NoSummary()], "writer 'loud' has no summary, a string"),
        (lambda: [Loud("a"), Loud("a")], "writer 'a' is already registered by plugin 'mine'"),
    ],
)
def test_what_is_no_writer_is_blamed_on_its_plugin(offered: Callable[[], Any], message: str) -> None:
    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.add(SimpleNamespace(seqlab_register_writers=hookimpl(offered)), "mine")
    assert str(caught.value).startswith(HOOK + message)
    assert (plugins.infos, plugins.registry.writers()) == ((), {})


def test_a_name_that_is_taken_names_both_and_takes_the_plugin_back() -> None:
    lab = Lab(entry_points=False)
    before = lab.registry.writers()
    with pytest.raises(PluginError) as caught:
        lab.plugins.add(writers(Loud(), Loud("jsonl")), "mine")
    assert str(caught.value) == HOOK + "writer 'jsonl' is already registered by plugin 'seqlab'"
    assert lab.registry.writers() == before
    lab.plugins.add(writers(Loud()), "mine")


def test_writers_of_a_plugin_that_fails_later_are_taken_back() -> None:
    """Commands are gathered when the command line starts, long after the plugin was loaded."""
    plugins = Plugins()
    failing = writers(Loud())
    failing.seqlab_register_commands = hookimpl(lambda: ["no command"])
    plugins.add(failing, "mine")
    assert set(plugins.registry.writers()) == {"loud"}

    def refuse(plugin: str, commands: Any) -> None:
        raise ValueError("that is no command")

    with pytest.raises(PluginError, match="that is no command"):
        plugins.gather("seqlab_register_commands", refuse)
    assert (plugins.infos, plugins.registry.writers()) == ((), {})


def test_an_installed_plugin_with_a_faulty_writer_is_left_out(site: Path) -> None:
    for name, writer in (("first", "loud"), ("second", "loud"), ("third", "quiet")):
        install(site, Distribution(name=name, module=f"fake_{name}", source=SOURCE.format(name=writer)))
    plugins = Plugins()
    plugins.load_entry_points()
    assert [info.name for info in plugins.infos] == ["first", "third"]
    assert [error.plugin for error in plugins.failures] == ["second"]
    assert set(plugins.registry.writers()) == {"loud", "quiet"}


def test_commands_list_the_writers(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*args: str) -> str:
        assert main([*args, "--plugin", str(file)]) == 0
        return capsys.readouterr().out

    listed = printed("components", "writer").splitlines()
    assert listed[0] == "writers"
    (line,) = (line for line in listed if line.split()[0] == "loud")
    assert line.endswith("  labels in capitals (shouts)")
    about = json.loads(printed("components", "writer", "loud", "--json"))
    assert (about["plugin"], about["summary"]) == ("shouts", "labels in capitals")
    assert about["source"] == f"{file}:4"
    assert printed("plugins").endswith(f"shouts (file {file})\n  writers: loud\n")
    assert main(["components", "writer", "lout", "--plugin", str(file)]) == 2
    assert "unknown writer 'lout'; did you mean 'loud'?; one of: conllu, " in capsys.readouterr().err
