"""Recipes read from files, values and mappings into a tree that knows where each key and value stands.

Scalars follow the core schema of YAML 1.2 (`no` is a string, `010` is ten, `1e-3` is a number).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seqlab.errors import Place, Problem, RecipeError
from seqlab.openfile import open_regular
from seqlab.recipe.composing import MAX_SIZE, Composer, Mark, fatal
from seqlab.recipe.tree import COMMAND_LINE, MAPPING_SOURCE, Tree, plain

__all__ = ["load_plain", "read_file", "read_mapping", "read_value"]

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How a file in UTF-16 begins, by the order of its bytes."""


def read_file(path: Path, named: Place | None = None) -> Tree:
    """Read a recipe file; RecipeError where there is no tree to go on with (syntax, encoding, no file).

    `named` is where the recipe that extends it names it: there it is told that it cannot be read.
    """
    file = str(path)
    text = _decode(_bytes_of(path, named), file)
    tree = _read(text, lambda mark: Place(file, mark.line + 1, mark.column + 1))
    if tree.root.content is None:
        raise fatal(Place(file), "the recipe is empty", tree.problems)
    if not isinstance(tree.root.content, dict):
        kind = "a list" if isinstance(tree.root.content, tuple) else "a single value"
        raise fatal(tree.root.place, f"a recipe is a mapping of keys to values, got {kind}", tree.problems)
    return tree


def read_value(text: str) -> Tree:
    """Read the right-hand side of an override by the rules of recipe files."""
    if len(text) > MAX_SIZE:
        raise fatal(COMMAND_LINE, f"the value has more than {MAX_SIZE:,} characters")
    return _read(text, lambda mark: COMMAND_LINE)


def read_mapping(data: Mapping[str, Any]) -> Tree:
    """Turn plain data into a tree whose places all are `<recipe>`."""
    composer = Composer(iter(()), lambda mark: MAPPING_SOURCE)
    return composer.tree(composer.adopt(data, ()))


def _bytes_of(path: Path, named: Place | None) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) <= MAX_SIZE:
            return data
        reason = f"is larger than {MAX_SIZE:,} bytes, the most that a recipe may have"
    except FileNotFoundError:
        reason = "no such file"
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}"
    if named:
        raise RecipeError([Problem(named, "extends", f"{path} {reason}")])
    raise fatal(Place(str(path)), reason)


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace").removeprefix("\ufeff")
        place = Place(file, before.count(b"\n") + 1, len(line) + 1)
        hint = "; it looks like UTF-16, save it as UTF-8" if data.startswith(UTF_16) else ""
        raise fatal(place, f"not UTF-8 text: byte 0x{error.object[error.start]:02x}{hint}") from None


def load_plain(path: Path) -> dict[str, Any]:
    """Read a recipe file as the plain data that stands in it; RecipeError where anything is wrong with it."""
    tree = read_file(path)
    if tree.problems:
        raise RecipeError(tree.problems)
    return dict(plain(tree.root))


def _read(text: str, place: Callable[[Mark], Place]) -> Tree:
    here = Mark(0, 0)

    def events() -> Iterator[Any]:
        nonlocal here
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            end: Any = event.end_mark
            here = Mark(end.line, end.column)
            yield event

    composer = Composer(events(), place)
    try:
        return composer.tree(composer.document())
    except RecipeError as error:
        raise RecipeError([*composer.problems, *error.problems]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n"), len(before) - before.rfind("\n") - 1)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed; write it as an escape"
        raise fatal(place(mark), message, composer.problems) from None
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark or error.context_mark
        mark = Mark(found.line, found.column) if found else Mark(0, 0)
        raise fatal(place(mark), _syntax_message(error, text), composer.problems) from None
    except (
        ValueError,
        OverflowError,
    ):  # PyYAML turns what stands there into a number, and that into a character
        message = "not valid YAML: an escape or a version after this is out of range"
        raise fatal(place(here), message, composer.problems) from None


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    context = f" ({error.context})" if error.context else ""
    hint = ""
    if "flow" in context and "${" in text:
        hint = "; quote values that hold ${...} between brackets"
    elif "alias" in context:
        hint = "; quote a value that begins with *"
    return f"not valid YAML: {error.problem}{context}{hint}"
