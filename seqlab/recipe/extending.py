"""The recipe that another one extends: one level, and never the recipe itself."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from seqlab.errors import Problem, RecipeError
from seqlab.recipe.overrides import long_forms
from seqlab.recipe.paths import path_beside, strerror
from seqlab.recipe.problems import show, unlike
from seqlab.recipe.reader import read_file
from seqlab.recipe.tree import Node, Tree, plain, without_consequences

__all__ = ["layers_of"]

LONGEST_CHAIN = 10
"""Most recipes that are read to find one that extends itself by way of others."""


def layers_of(root: Node, problems: list[Problem], unread: Collection[Problem]) -> list[Node]:
    """Return the recipe, and below it the one that it extends, if any.

    Where that one is not whole, this one is not either: nothing more is said of it.
    """
    assert isinstance(root.content, dict)
    own = {key: node for key, node in root.content.items() if key != "extends"}
    extends = root.content.get("extends")
    if extends is None or extends.content is None:
        return [replace(root, content=own)]
    try:
        base = _base(extends)
    except RecipeError as error:
        raise RecipeError(without_consequences([*problems, *error.problems], unread)) from None
    problems += base.problems
    below = long_forms(base.root)
    assert isinstance(below.content, dict)
    further = below.content.get("extends")
    if further is not None and further.content is not None:
        if chain := _chain_to_itself(extends):
            message = f"a recipe cannot extend itself, not by way of others either: {' -> '.join(chain)}"
        else:
            message = f"{show(extends.content)} extends another recipe itself; only one level is allowed"
        raise RecipeError([*problems, Problem(extends.place, "extends", message)])
    kept = {key: node for key, node in below.content.items() if key != "extends"}
    return [replace(below, content=kept), replace(root, content=own)]


def _base(extends: Node) -> Tree:
    if not isinstance(extends.content, str) or not extends.content:
        raise _at(extends, unlike("the path of a recipe", plain(extends)))
    try:
        path = path_beside(extends.content, extends.place)
        directory, missing = path.is_dir(), not path.exists()
    except ValueError as error:
        raise _at(extends, str(error)) from None
    except OSError as error:
        raise _at(extends, f"cannot look at {show(extends.content)}: {strerror(error)}") from None
    if directory or missing:
        raise _at(extends, f"{path} is a directory" if directory else f"no such file: {path}")
    return read_file(path, extends.place)


def _chain_to_itself(extends: Node) -> list[str]:
    """Return the files that lead from a recipe back to one of themselves; empty where they do not."""
    chain = [extends.place.file]
    with suppress(RecipeError):
        while len(chain) < LONGEST_CHAIN:
            base = _base(extends)
            chain.append(base.root.place.file)
            if Path(chain[-1]).resolve() in [Path(file).resolve() for file in chain[:-1]]:
                return chain
            assert isinstance(base.root.content, dict)
            extends = base.root.content.get("extends", Node(None, extends.place, extends.place))
    return []


def _at(extends: Node, message: str) -> RecipeError:
    return RecipeError([Problem(extends.place, "extends", message)])
