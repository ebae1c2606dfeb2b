from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.errors import RecipeError
from seqlab.recipe import dump_recipe, load_plain
from seqlab.recipe.composing import MAX_NODES
from seqlab.recipe.reader import read_file, read_mapping, read_value
from seqlab.recipe.scalars import plain_scalar
from seqlab.recipe.tree import dotted, plain

Lines = Callable[[str], list[str]]


@pytest.fixture
def problems(folder: Path) -> Lines:
    """Read a text as `a.yaml` and return its problems as lines."""

    def read(text: str) -> list[str]:
        Path("a.yaml").write_text(text, encoding="utf-8")
        try:
            return [str(problem) for problem in read_file(Path("a.yaml")).problems]
        except RecipeError as error:
            return str(error).splitlines()

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("yes", "yes"),
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("010", 10),
        ("+7", 7),
        ("-0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("١٢", "١٢"),
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e+2", -150.0),
        (".", "."),
        ("e3", "e3"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+.Inf", math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("2024-01-31", "2024-01-31"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(plain_scalar(".nan"))  # type: ignore[arg-type]


def test_quoted_and_block_scalars_are_strings() -> None:
    assert plain(read_value("['1', \"true\", '']").root) == ["1", "true", ""]
    assert plain(read_value("|\n  12\n").root) == "12\n"


def test_every_key_and_value_has_its_place(folder: Path) -> None:
    Path("a.yaml").write_text("\ufeffa:\n  b: [x, {c: 1}]\nd: é z\n", encoding="utf-8")
    root = read_file(Path("a.yaml")).root
    places = {}

    def walk(node: Any, path: tuple[str | int, ...]) -> None:
        key, value = node.key, node.place
        places[dotted(path)] = (key.line, key.column, value.line, value.column)
        children: Any = node.content.items() if isinstance(node.content, dict) else ()
        children = enumerate(node.content) if isinstance(node.content, tuple) else children
        for part, child in children:
            walk(child, (*path, part))

    walk(root, ())
    assert places == {
        "": (1, 1, 1, 1),
        "a": (1, 1, 2, 3),
        "a.b": (2, 3, 2, 6),
        "a.b.0": (2, 7, 2, 7),
        "a.b.1": (2, 10, 2, 10),
        "a.b.1.c": (2, 11, 2, 14),
        "d": (3, 1, 3, 4),
    }


def test_an_alias_stands_for_its_anchor_at_its_own_place(folder: Path) -> None:
    Path("a.yaml").write_text("a: &x {k: 1}\nb: *x\n", encoding="utf-8")
    root = read_file(Path("a.yaml")).root
    assert plain(root) == {"a": {"k": 1}, "b": {"k": 1}}
    assert isinstance(root.content, dict)
    assert str(root.content["b"].place) == "a.yaml:2:4"
    assert str(root.content["b"].key) == "a.yaml:2:1"


def test_mistakes_that_leave_a_tree_are_all_collected(problems: Lines) -> None:
    text = (
        "a: 1\na: 2\n'a': 3\nb:\n  c: 1\n  c: 2\n1: x\ntrue: x\n~: x\n[q]: x\n"
        "<<: {z: 1}\nt: !!python/name:os.x y\nu: !!str 3\nv: ! w\n"
    )
    assert problems(text) == [
        "a.yaml:2:1: duplicate key 'a'; first given in line 1",
        "a.yaml:3:1: duplicate key 'a'; first given in line 1",
        "a.yaml:6:3: b: duplicate key 'c'; first given in line 5",
        "a.yaml:7:1: keys are strings, got 1",
        "a.yaml:8:1: keys are strings, got true",
        "a.yaml:9:1: keys are strings, got null",
        "a.yaml:10:1: keys are strings, got a list or a mapping",
        "a.yaml:11:1: merge keys (<<) are not allowed; use 'extends'",
        "a.yaml:12:4: t: the tag '!!python/name:os.x' is not allowed; a recipe is plain data",
        "a.yaml:13:4: u: the tag '!!str' is not allowed; a recipe is plain data",
        "a.yaml:14:4: v: the tag '!' is not allowed; a recipe is plain data",
    ]


def test_the_first_of_duplicate_keys_is_kept(folder: Path) -> None:
    Path("a.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    assert plain(read_file(Path("a.yaml")).root) == {"a": 1}


def test_words_that_yaml_1_1_would_turn_into_booleans_are_keys(problems: Lines) -> None:
    assert problems("on: 1\nno: 2\n'1': 3\n'<<': 4\n") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "a.yaml: the recipe is empty"),
        ("# nothing\n", "a.yaml: the recipe is empty"),
        ("---\n...\n", "a.yaml: the recipe is empty"),
        ("~\n", "a.yaml: the recipe is empty"),
        ("- a\n", "a.yaml:1:1: a recipe is a mapping of keys to values, got a list"),
        ("\nword\n", "a.yaml:2:1: a recipe is a mapping of keys to values, got a single value"),
        ("a: 1\n---\nb: 1\n", "a.yaml:2:1: a recipe is one YAML document, a second starts here"),
        ("a: b: c\n", "a.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        (
            "a: [${A}/x]\n",
            "a.yaml:1:6: not valid YAML: expected ',' or ']', but got '{' (while parsing a flow sequence)"
            "; quote values that hold ${...} between brackets",
        ),
        (
            "a: *.conllu\n",
            "a.yaml:1:5: not valid YAML: expected alphabetic or numeric character, but found '.'"
            " (while scanning an alias); quote a value that begins with *",
        ),
        (
            "a: *x\n",
            "a.yaml:1:4: not valid YAML: the alias *x has no anchor &x; quote a value that begins with *",
        ),
        ("a: &x [*x]\n", "a.yaml:1:8: the alias *x stands inside what it names"),
        ("a: 1\nb: \x01\n", "a.yaml:2:4: the character U+0001 is not allowed; write it as an escape"),
        (
            "a: " + "9" * 5000 + "\n",
            "a.yaml:1:4: a: the number is too large; an integer has at most 100 digits",
        ),
        ("a: " + "[" * 200 + "]" * 200, "a.yaml:1:104: lists and mappings are nested more than 100 deep"),
    ],
)
def test_texts_that_are_no_recipe(problems: Lines, text: str, line: str) -> None:
    assert problems(text) == [line]


def test_problems_found_before_a_syntax_error_are_kept(problems: Lines) -> None:
    assert problems("a: 1\na: 2\nb: [\n") == [
        "a.yaml:2:1: duplicate key 'a'; first given in line 1",
        "a.yaml:4:1: not valid YAML: expected the node content, but found '<stream end>'"
        " (while parsing a flow node)",
    ]


def test_a_few_aliases_cannot_stand_for_billions(problems: Lines) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (line,) = problems("\n".join(rows))
    assert line.endswith(f"the recipe has more than {MAX_NODES:,} values once aliases are expanded")


def test_nested_aliases_count_towards_the_depth(problems: Lines) -> None:
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 150)]
    (line,) = problems("\n".join(rows))
    assert line.endswith("lists and mappings are nested more than 100 deep")


def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / "latin.yaml").write_bytes("a: é\nb: caf".encode() + b"\xe9\n")
    (folder / "utf16.yaml").write_bytes("a: 1".encode("utf-16"))
    expected = {
        "latin.yaml": "latin.yaml:2:7: not UTF-8 text: byte 0xe9",
        "utf16.yaml": "utf16.yaml:1:1: not UTF-8 text: byte 0xff; it looks like UTF-16, save it as UTF-8",
        "none.yaml": "none.yaml: no such file",
        "recipes": "recipes: cannot be read: it is a folder, and only regular files are read",
        "recipes/train.conllu/x": "recipes/train.conllu/x: cannot be read: not a directory",
        "a\0b": "a\0b: cannot be read: embedded null byte",
    }
    for name, line in expected.items():
        with pytest.raises(RecipeError) as caught:
            read_file(Path(name))
        assert str(caught.value) == line


def test_mappings_become_trees(folder: Path) -> None:
    tree = read_mapping({"a": (1, {"b": None})})
    assert plain(tree.root) == {"a": [1, {"b": None}]}
    problems = read_mapping({"a": {1: 2, "p": Path("x")}}).problems
    assert sorted(str(problem) for problem in problems) == [
        f"<recipe>: a.p: expected plain data, got a {type(Path()).__name__}",
        "<recipe>: a: keys are strings, got 1",
    ]


def test_a_mapping_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    with pytest.raises(RecipeError, match="nested more than 100 deep"):
        read_mapping(loop)


TEXT = st.text(max_size=12) | st.text("-+.019eExo_:~=<!&*%@#|>'\"\\ \n\x85nNtu", max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
KEYS = TEXT | st.sampled_from(["<<", "no", "1", "null", "", "a: b", "? x", "long " * 40])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_what_is_dumped_is_read_back_identically(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(dump_recipe(data).encode("utf-8"))
    assert repr(load_plain(path)) == repr(data)  # repr tells 1 from 1.0 and True, and sees the order of keys


@pytest.mark.parametrize("text", ["no", "NO", "1e-3", "010", "0o7", "~", "", "true", ".inf", "<<", "1:30"])
def test_strings_that_look_like_something_else_are_quoted(text: str) -> None:
    assert dump_recipe({"a": text}) == f"a: '{text}'\n"


def test_dumped_text_is_in_block_style_with_keys_in_order() -> None:
    shared = {"z": 1, "a": [1, 2]}
    assert dump_recipe({"b": shared, "a": shared}) == (
        "b:\n  z: 1\n  a:\n  - 1\n  - 2\na:\n  z: 1\n  a:\n  - 1\n  - 2\n"
    )


def test_load_plain_refuses_duplicates(folder: Path) -> None:
    Path("a.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="duplicate key 'a'"):
        load_plain(Path("a.yaml"))
