"""Recipes that extend others: what is no base, and where that is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.recipe.composing import MAX_SIZE

Lines = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("extends", "line"),
    [
        ("none.yaml", "no such file: recipes/none.yaml"),
        ("../recipes", "recipes/../recipes is a directory"),
        ("[a]", "expected the path of a recipe, got a list"),
        ("''", "expected the path of a recipe, got ''"),
        (
            "${SEQLAB_NONE}/a.yaml",
            "environment variable SEQLAB_NONE is not set; set it to the path meant,"
            " e.g. export SEQLAB_NONE=/path/to/folder",
        ),
    ],
)
def test_bases_that_are_not_there(lines: Lines, extends: str, line: str) -> None:
    assert lines(f"extends: {extends}\n") == [f"recipes/pos.yaml:1:10: extends: {line}"]


def test_a_base_that_cannot_be_read_is_told_where_it_is_named(lines: Lines) -> None:
    os.mkfifo("recipes/fifo.yaml")
    Path("recipes/huge.yaml").write_bytes(b" " * (MAX_SIZE + 1))
    at, only = "recipes/pos.yaml:2:10: extends: ", "and only regular files are read"
    assert lines("name: x\nextends: fifo.yaml\n") == [
        f"{at}recipes/fifo.yaml cannot be read: it is a fifo, {only}"
    ]
    assert lines("name: x\nextends: /dev/zero\n") == [f"{at}/dev/zero cannot be read: it is a device, {only}"]
    assert lines("name: x\nextends: huge.yaml\n") == [
        f"{at}recipes/huge.yaml is larger than {MAX_SIZE:,} bytes, the most that a recipe may have"
    ]


@pytest.mark.parametrize("rest", ["", "whole"])
def test_a_base_must_not_extend_and_is_then_not_missed_besides(lines: Lines, whole: str, rest: str) -> None:
    Path("recipes/base.yaml").write_text("extends: other.yaml\n" + (whole if rest else ""))
    assert lines("extends: base.yaml\n") == [
        "recipes/pos.yaml:1:10: extends: 'base.yaml' extends another recipe itself; only one level is allowed"
    ]


def test_a_base_with_broken_syntax_comes_with_the_recipes_own_problems(lines: Lines) -> None:
    Path("recipes/base.yaml").write_text("a: b: c\n")
    assert lines("extends: base.yaml\nname: x\nname: y\n") == [
        "recipes/base.yaml:1:5: not valid YAML: mapping values are not allowed here",
        "recipes/pos.yaml:3:1: duplicate key 'name'; first given in line 2",
    ]


@pytest.mark.parametrize(
    ("files", "chain"),
    [
        ({}, ["pos"]),
        ({"a": "pos"}, ["a", "pos"]),
        ({"a": "../recipes/b", "b": "pos"}, ["a", "../recipes/b", "../recipes/pos"]),
        ({"a": "b", "b": "a"}, ["a", "b", "a"]),
        ({"a": "link", "link": ""}, ["a", "link"]),
    ],
    ids=repr,
)
def test_a_recipe_that_extends_itself_is_shown_the_way(
    lines: Lines, files: dict[str, str], chain: list[str]
) -> None:
    for name, base in files.items():
        path = Path(f"recipes/{name}.yaml")
        if base:
            path.write_text(f"extends: {base}.yaml\n")
        else:
            path.symlink_to("a.yaml")
    shown = " -> ".join(f"recipes/{name}.yaml" for name in ["pos", *chain])
    assert lines(f"extends: {chain[0]}.yaml\n") == [
        f"recipes/pos.yaml:1:10: extends: a recipe cannot extend itself, not by way of others either: {shown}"
    ]


def test_a_long_chain_is_not_followed_to_its_end(lines: Lines) -> None:
    for number in range(30):
        Path(f"recipes/{number}.yaml").write_text(f"extends: {(number + 1) % 30}.yaml\n")
    (line,) = lines("extends: 0.yaml\n")
    assert "'0.yaml' extends another recipe itself; only one level is allowed" in line
