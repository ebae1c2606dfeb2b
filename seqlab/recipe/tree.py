"""The tree of a recipe: every value with its place, and the path that leads to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from seqlab.errors import Place, Problem

__all__ = [
    "COMMAND_LINE",
    "MAPPING_SOURCE",
    "KeyPath",
    "Node",
    "Scalar",
    "Tree",
    "cut",
    "dotted",
    "plain",
    "without_consequences",
]

COMMAND_LINE = Place("command line")
"""Where everything stands that an override brought in."""

MAPPING_SOURCE = Place("<recipe>")
"""Where everything stands in a recipe that was given as a mapping."""

Scalar = str | int | float | bool | None
KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of the recipe down to a value."""


@dataclass(frozen=True)
class Node:
    """A value with its place; `key` is the place of the key in front of it (its own place where none is)."""

    content: Scalar | tuple[Node, ...] | dict[str, Node]
    place: Place
    key: Place


@dataclass(frozen=True)
class Tree:
    """What was read, with the problems that did not keep it from being read."""

    root: Node
    problems: tuple[Problem, ...]
    unread: frozenset[Problem] = frozenset()
    """Those of the problems that are about a value which stands in the tree as another."""


SHOWN_CHARACTERS = 60
"""Longer strings and keys are cut in messages, with an ellipsis."""


def cut(text: str) -> str:
    """Return a text short enough for a message."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def dotted(path: KeyPath) -> str:
    """Write a path as problems and overrides do: `features.0.embedding_dim`, long keys cut."""
    return ".".join(cut(str(part)) for part in path)


def plain(node: Node) -> Any:  # what YAML can say has no tighter type
    """Return the value without its places: scalars, lists and dictionaries."""
    if isinstance(node.content, dict):
        return {key: plain(child) for key, child in node.content.items()}
    if isinstance(node.content, tuple):
        return [plain(child) for child in node.content]
    return node.content


def without_consequences(problems: Iterable[Problem], unread: Collection[Problem]) -> list[Problem]:
    """Return each mistake once, and of values that could not be read nothing more than `unread` tells."""
    values = {(each.place, each.path) for each in unread}
    each_once = dict.fromkeys(problems)
    return [each for each in each_once if each in unread or (each.place, each.path) not in values]
