from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from fake_distributions import write_module
from pydantic import Field

from seqlab.cli.components import keys_of
from seqlab.cli.main import main
from seqlab.settings import Config

PLUGIN = """
    from pydantic import Field
    from seqlab.api import Component, Config, hookimpl

    class Settings(Config):
        size: int = Field(ge=1)
        '''Number of units.'''
        dropout: float | None = Field(default=None, ge=0, lt=1)
        '''Share of units dropped.

        None when null.
        '''

    def build(config, context):
        raise NotImplementedError

    @hookimpl
    def seqlab_register_encoders():
        return [Component(name="fake", config=Settings, build=build, summary="an encoder of the tests")]
"""


class Inner(Config):
    low: int = 0
    high: int = 1


class Wide(Config):
    whole: int = Field(ge=1)
    share: float = Field(default=0.5, gt=0, lt=1)
    word: str = Field(default="a", min_length=1)
    choice: Literal["a", "b"] = "a"
    single: Literal["only"] = "only"
    limit: float | None = None
    flag: bool = False
    names: list[str] = Field(default_factory=lambda: ["x"])
    few: Annotated[list[int], Field(max_length=3)] = Field(default=[])
    pair: tuple[float, float] = (0.0, 1.0)
    table: dict[str, float] = Field(default={})
    inner: Inner = Inner()
    anything: Any = None


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("whole", "integer >= 1", None),
        ("share", "number > 0 and < 1", 0.5),
        ("word", "string of length >= 1", "a"),
        ("choice", "one of: a, b", "a"),
        ("single", "one of: only", "only"),
        ("limit", "number or null", None),
        ("flag", "boolean", False),
        ("names", "list of string", ["x"]),
        ("few", "list of length <= 3 of integer", []),
        ("pair", "list (number, number)", [0.0, 1.0]),
        ("table", "mapping to number", {}),
        ("inner", "mapping with keys low, high", {"low": 0, "high": 1}),
        ("anything", "any value", None),
    ],
)
def test_types_and_defaults_of_keys_in_words(key: str, kind: str, default: Any) -> None:
    (found,) = [one for one in keys_of(Wide) if one["key"] == key]
    assert (found["type"], found["default"], found["required"]) == (kind, default, key == "whole")


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    return str(write_module(tmp_path / "mine.py", PLUGIN))


def test_one_component_is_documented(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "encoder", "fake", "--plugin", plugin]) == 0
    assert capsys.readouterr().out == (
        "encoder fake: an encoder of the tests\n"
        "plugin: mine\n"
        f"source: {plugin}:14\n"
        "\n"
        "size: integer >= 1 (required)\n"
        "    Number of units.\n"
        "\n"
        "dropout: number >= 0 and < 1 or null (default null)\n"
        "    Share of units dropped.\n"
        "    \n"
        "    None when null.\n"
    )


def test_the_list_holds_the_kinds_asked_for(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "--plugin", plugin]) == 0
    everything = capsys.readouterr().out
    assert main(["components", "encoder", "--plugin", plugin]) == 0
    encoders = capsys.readouterr().out
    assert encoders.startswith("encoders\n")
    assert "  an encoder of the tests (mine)\n" in encoders
    assert "an encoder of the tests (mine)" in everything
    assert "readers\n" not in encoders


def test_json_of_one_and_of_all(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "encoder", "fake", "--json", "--plugin", plugin]) == 0
    one = json.loads(capsys.readouterr().out)
    assert (one["plugin"], one["source"], [key["key"] for key in one["keys"]]) == (
        "mine",
        f"{plugin}:14",
        ["size", "dropout"],
    )
    assert main(["components", "--json", "--plugin", plugin]) == 0
    assert one in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["encodr"], "unknown kind 'encodr'; did you mean 'encoder'?; one of: augmenter, "),
        (["encoder", "fakes"], "unknown encoder 'fakes'; did you mean 'fake'?; one of: "),
    ],
)
def test_unknown_names_are_usage_errors(
    args: list[str], message: str, plugin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["components", *args, "--plugin", plugin]) == 2
    assert message in capsys.readouterr().err
