"""From YAML events to the tree of a recipe, within bounds: a few lines can stand for billions of values.

Tags, merge keys, several documents and keys that are not strings are refused: a recipe is plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import yaml

from seqlab.errors import Place, Problem, RecipeError
from seqlab.recipe.scalars import plain_scalar, unfit
from seqlab.recipe.tree import MAPPING_SOURCE, KeyPath, Node, Scalar, Tree, dotted

__all__ = ["CORE_TAG", "MAX_DEPTH", "MAX_NODES", "MAX_PROBLEMS", "MAX_SIZE", "Composer", "Mark", "fatal"]

MAX_SIZE = 8 << 20
"""Most bytes of a recipe file, and most characters of its strings once aliases are expanded."""

MAX_NODES = 100_000
"""Most values in one recipe once its aliases are expanded."""

MAX_DEPTH = 100
"""Deepest nesting of lists and mappings; recursion over the tree stays far from Python's own limit."""

MAX_PROBLEMS = 1000
"""Most mistakes that are listed; beyond them the file is no recipe."""

CORE_TAG = "tag:yaml.org,2002:"
"""What `!!` stands for in front of a tag."""


class Mark(NamedTuple):
    """A position as PyYAML counts, from 0."""

    line: int
    column: int


def fatal(place: Place, message: str, others: tuple[Problem, ...] | list[Problem] = ()) -> RecipeError:
    """Return the error that ends the reading, with the problems found before."""
    return RecipeError([*others, Problem(place, "", message)])


class Composer:
    """Builds the tree from YAML events, collecting what is wrong; raises where it cannot go on."""

    def __init__(self, events: Iterator[Any], place: Callable[[Mark], Place]) -> None:
        self.events = events
        self.place = place
        self.problems: list[Problem] = []
        self.unread: set[Problem] = set()
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0
        self.characters = 0

    def tree(self, root: Node) -> Tree:
        """Return what was composed, with what is wrong."""
        return Tree(root, tuple(self.problems), frozenset(self.unread))

    def document(self) -> Node:
        """Compose the one document; an empty stream counts as null."""
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            nothing = self.place(Mark(0, 0))
            return Node(None, nothing, nothing)
        root = self._node(next(self.events), ())
        next(self.events)  # the end of the document
        if not isinstance(event := next(self.events), yaml.StreamEndEvent):
            raise fatal(self.place(event.start_mark), "a recipe is one YAML document, a second starts here")
        return root

    def adopt(self, value: Any, path: KeyPath) -> Node:
        """Build the tree of plain data."""
        self._count(MAPPING_SOURCE, path)
        if isinstance(value, Mapping):
            pairs = [(Node(key, MAPPING_SOURCE, MAPPING_SOURCE), child) for key, child in value.items()]
            named = [(str(key.content), child) for key, child in pairs if self._is_string(key, path)]
            content = {self._key(key, path): self.adopt(child, (*path, key)) for key, child in named}
            return Node(content, MAPPING_SOURCE, MAPPING_SOURCE)
        if isinstance(value, list | tuple):
            items = tuple(self.adopt(item, (*path, index)) for index, item in enumerate(value))
            return Node(items, MAPPING_SOURCE, MAPPING_SOURCE)
        if value is not None and type(value) not in (str, int, float, bool):
            self._report_unread(MAPPING_SOURCE, path, f"expected plain data, got a {type(value).__name__}")
            value = str(value)
        return Node(self._scalar(value, "", MAPPING_SOURCE, path), MAPPING_SOURCE, MAPPING_SOURCE)

    def _node(self, event: Any, path: KeyPath) -> Node:
        place = self.place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), place, path)
        self._count(place, path)
        if event.tag is not None:
            shown = str(event.tag).replace(CORE_TAG, "!!")
            report = self._report_unread if isinstance(event, yaml.ScalarEvent) else self._report
            report(place, path, f"the tag {shown!r} is not allowed; a recipe is plain data")
        if event.anchor:
            self.anchors[event.anchor] = None  # until it is complete, an alias to it would be a loop
        node = Node(self._content(event, place, path), place, place)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _content(
        self, event: Any, place: Place, path: KeyPath
    ) -> Scalar | tuple[Node, ...] | dict[str, Node]:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return tuple(self._items(path))
        value = str(event.value) if event.style is not None else plain_scalar(event.value)
        return self._scalar(value, event.value, place, path)

    def _scalar(self, value: Scalar, text: str, place: Place, path: KeyPath) -> Scalar:
        """Count a scalar's characters, and report one that no recipe may hold."""
        self._count_characters(value, place)
        if reason := unfit(value, text):
            self._report_unread(place, path, reason)
            return "" if isinstance(value, str) else 0
        return value

    def _items(self, path: KeyPath) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self._node(event, (*path, index))
            index += 1

    def _mapping(self, path: KeyPath) -> dict[str, Node]:
        content: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            merge = isinstance(event, yaml.ScalarEvent) and event.style is None and event.value == "<<"
            # A list or a mapping as a key may hold further ones: it counts as a level of its own.
            scalar = isinstance(event, yaml.ScalarEvent | yaml.AliasEvent)
            key = self._node(event, path if scalar else (*path, "?"))
            name = key.content if isinstance(key.content, str) else "?"
            value = self._node(next(self.events), (*path, name))
            if merge:
                self._report(key.place, path, "merge keys (<<) are not allowed; use 'extends'")
                merged |= value.content if isinstance(value.content, dict) else {}
            elif self._is_string(key, path) and self._is_new(key, path, content):
                content[name] = replace(value, key=key.place)
        return merged | content  # so that what was merged is not missed as well

    def _key(self, key: str, path: KeyPath) -> str:
        self._count_characters(key, MAPPING_SOURCE)
        if reason := unfit(key, key):
            self._report(MAPPING_SOURCE, path, reason)
        return key

    def _is_string(self, key: Node, path: KeyPath) -> bool:
        if isinstance(key.content, str):
            return True
        shown = "a list or a mapping" if isinstance(key.content, tuple | dict) else _yaml_word(key.content)
        self._report(key.place, path, f"keys are strings, got {shown}")
        return False

    def _is_new(self, key: Node, path: KeyPath, content: dict[str, Node]) -> bool:
        first = content.get(str(key.content))
        if first is not None:
            line = f"; first given in line {first.key.line}" if first.key.line else ""
            self._report(key.place, path, f"duplicate key {key.content!r}{line}")
        return first is None

    def _alias(self, anchor: str, place: Place, path: KeyPath) -> Node:
        if anchor not in self.anchors:
            hint = "; quote a value that begins with *"
            raise fatal(place, f"not valid YAML: the alias *{anchor} has no anchor &{anchor}{hint}")
        node = self.anchors[anchor]
        if node is None:
            raise fatal(place, f"the alias *{anchor} stands inside what it names")
        self._expand(node, place, path)
        return replace(node, place=place, key=place)

    def _expand(self, node: Node, place: Place, path: KeyPath) -> None:
        """Count what an alias stands for as if it were written out."""
        self._count(place, path)
        if isinstance(node.content, dict):
            for key, child in node.content.items():
                self._count_characters(key, place)
                self._expand(child, place, (*path, key))
        elif isinstance(node.content, tuple):
            for index, child in enumerate(node.content):
                self._expand(child, place, (*path, index))
        else:
            self._count_characters(node.content, place)

    def _count(self, place: Place, path: KeyPath) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise fatal(place, f"the recipe has more than {MAX_NODES:,} values once aliases are expanded")
        if len(path) > MAX_DEPTH:
            raise fatal(place, f"lists and mappings are nested more than {MAX_DEPTH} deep")

    def _count_characters(self, value: Scalar, place: Place) -> None:
        self.characters += len(value) if isinstance(value, str) else 1
        if self.characters > MAX_SIZE:
            message = f"the recipe has more than {MAX_SIZE:,} characters once aliases are expanded"
            raise fatal(place, message)

    def _report(self, place: Place, path: KeyPath, message: str) -> None:
        if len(self.problems) == MAX_PROBLEMS:
            raise fatal(place, f"there are more than {MAX_PROBLEMS:,} mistakes; the rest is not looked at")
        self.problems.append(Problem(place, dotted(path), message))

    def _report_unread(self, place: Place, path: KeyPath, message: str) -> None:
        """Report a value in whose place another one, or text, goes into the tree."""
        self._report(place, path, message)
        self.unread.add(self.problems[-1])


def _yaml_word(value: Scalar) -> str:
    return "null" if value is None else str(value).lower()
