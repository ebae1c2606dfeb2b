"""Recipes that a stranger made to do harm: each is refused in words, in bounded memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from guarded import Guarded

from seqlab import Lab
from seqlab.errors import RecipeError
from seqlab.recipe.composing import MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, MAX_SIZE
from seqlab.recipe.reader import read_file, read_mapping

LEAST = "data: {reader: conllu, train: train.conllu}\nfeatures: [embedding]\nencoder: bilstm\nhead: tagging\n"
"""A recipe without mistakes but that its data is not there."""

PEAK = 200
"""Most MiB that any of these recipes may take."""

ROWS = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
ROWS += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

TEXTS: dict[str, tuple[str | bytes, str]] = {
    "aliases of nodes": ("\n".join(ROWS), f"more than {MAX_NODES:,} values once aliases are expanded"),
    "aliases of scalars": (
        f"a: &x {'y' * 100_000}\nb: [{'*x,' * 90_000}]",
        f"more than {MAX_SIZE:,} characters once aliases are expanded",
    ),
    "aliases as keys": (
        f"a: &x {'y' * 100_000}\nb: [{'{*x : 1},' * 30_000}]",
        f"more than {MAX_SIZE:,} characters once aliases are expanded",
    ),
    "an alias in itself": ("a: &x [*x]", "the alias *x stands inside what it names"),
    "many mistakes": (
        "".join(f"{number}: x\n" for number in range(5000)),
        f"more than {MAX_PROBLEMS:,} mistakes; the rest is not looked at",
    ),
    "many unknown keys": (LEAST + "".join(f"k{n}: 1\n" for n in range(500)), "480 more unknown keys"),
    "many unknown settings": (
        LEAST + "train:\n" + "".join(f"  k{n}: 1\n" for n in range(500)),
        "train: 400 more mistakes",
    ),
    "deep lists": ("a: " + "[" * 2000, f"nested more than {MAX_DEPTH} deep"),
    "deep keys": ("? " * 2000, f"nested more than {MAX_DEPTH} deep"),
    "deep keys in brackets": ("a: " + "{? " * 2000, f"nested more than {MAX_DEPTH} deep"),
    "deep dashes": ("a:\n" + "- " * 2000, f"nested more than {MAX_DEPTH} deep"),
    "a long decimal": (
        f"{LEAST}train: {{epochs: {'9' * 5000}}}",
        ":5:17: train.epochs: the number is too large",
    ),
    "a long hexadecimal": (f"{LEAST}name: 0x{'f' * 5000}", ":5:7: name: the number is too large; an integer"),
    "a long octal": (
        f"{LEAST}name: 0o{'7' * 5000}",
        ":5:7: name: the number is too large; an integer has at",
    ),
    "a number in base 60": (f"{LEAST}train: {{epochs: 1:30:00}}", "expected an integer, got '1:30:00'"),
    "a number beyond floats": (
        f"{LEAST}train: {{clip_norm: 1e999}}",
        "train.clip_norm: the number is too large; at most 1.8e308, or .inf",
    ),
    "half a character": (
        f'{LEAST}name: "\\ud800"',
        ":5:7: name: the string holds U+D800, half of a character",
    ),
    "half a character in a key": (
        f'{LEAST}"\\ud800": 1',
        ":5:1: the string holds U+D800, half of a character",
    ),
    "half a character in a path": ('extends: "\\udc80.yaml"', "extends: the string holds U+DC80, half of"),
    "an escape that is none": (f'{LEAST}name: "\\UFFFFFFFF"', ":5:5: not valid YAML: an escape or a version"),
    "a version that is none": (
        f"%YAML 1.{'1' * 5000}\n---\n{LEAST}",
        "not valid YAML: an escape or a version",
    ),
    "U+0000": (f"{LEAST}name: a\0b", ":5:8: the character U+0000 is not allowed; write it as an escape"),
    "U+0000 in a path": ('extends: "a\\0b"', "extends: no such file"),
    "a long path": (f"extends: {'a' * 5000}", "file name too long"),
    "UTF-16": (LEAST.encode("utf-16"), "not UTF-8 text: byte 0xff; it looks like UTF-16, save it as UTF-8"),
    "a list as data": (
        LEAST.replace("{reader: conllu, train: train.conllu}", "[1]"),
        "expected a mapping, got a list",
    ),
    "a number as data": (
        LEAST.replace("{reader: conllu, train: train.conllu}", "1"),
        "expected a mapping, got 1",
    ),
    "a merge": (f"a: &x {{y: 1}}\n<<: *x\n{LEAST}", ":2:1: merge keys (<<) are not allowed; use 'extends'"),
    "a tag": (f"{LEAST}name: !!python/object/apply:os.system [ls]", "is not allowed; a recipe is plain data"),
    "control characters": (f'{LEAST}"\\e[31m": 1', r"unknown key '\x1b[31m'"),
    "a FIFO": ("extends: fifo", "fifo cannot be read: it is a fifo, and only regular files are read"),
    "a device": (
        "extends: /dev/zero",
        "extends: /dev/zero cannot be read: it is a device, and only regular files",
    ),
    "a folder": ("extends: .", "is a directory"),
    "a file without end": (
        "extends: huge.yaml",
        f"is larger than {MAX_SIZE:,} bytes, the most that a recipe",
    ),
    "a file that extends": (
        "extends: second.yaml",
        "'second.yaml' extends another recipe itself; only one level",
    ),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with things that are no recipes."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "second.yaml").write_text("extends: third.yaml\n")
    (tmp_path / "huge.yaml").touch()
    os.truncate(tmp_path / "huge.yaml", 1 << 40)
    return tmp_path


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_a_recipe_made_to_do_harm_is_refused_in_words(
    text: str | bytes,
    message: str,
    hostile: Path,
    guarded: Guarded,
    record_property: Callable[[str, object], None],
) -> None:
    (hostile / "recipe.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    outcome = guarded("check", hostile / "recipe.yaml")
    record_property("peak_mib", outcome.peak)
    assert outcome.error == "RecipeError", outcome.message
    assert message in outcome.message
    assert outcome.peak < PEAK


@pytest.mark.parametrize("name", ["fifo", "huge.yaml", "/dev/zero"])
def test_what_is_no_file_of_a_recipe_is_not_read_as_one(name: str, hostile: Path) -> None:
    with pytest.raises(RecipeError, match=r"only regular files are read|is larger than"):
        read_file(hostile / name)


def test_a_merge_is_one_mistake_and_nothing_that_it_brings_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"<<: {{{LEAST.replace(chr(10), ', ')}}}\n")
    with pytest.raises(RecipeError) as caught:
        Lab(entry_points=False).check(path)
    assert [problem.message for problem in caught.value.problems if "merge" in problem.message]
    assert "missing required key" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": 10**5000}, "a: the number is too large"),
        ({"a": "\ud800"}, "a: the string holds U+D800"),
        ({"\ud800": 1}, "the string holds U+D800"),
    ],
)
def test_plain_data_has_the_limits_of_files(data: dict[str, object], message: str) -> None:
    (problem,) = read_mapping(data).problems
    assert message in str(problem)


def test_plain_data_of_many_characters_is_refused() -> None:
    with pytest.raises(RecipeError, match=re.escape(f"more than {MAX_SIZE:,} characters")):
        read_mapping({"a": ["x" * (1 << 20)] * 9})
