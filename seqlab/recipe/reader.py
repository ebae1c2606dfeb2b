"""YAML in and out: a tree that knows where each key and value stands, and text that reads back identically.

Scalars follow the core schema of YAML 1.2 (`no` is a string, `010` is ten, `1e-3` is a number). Tags, merge
keys, several documents and keys that are not strings are refused: a recipe is plain data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from seqlab.errors import Place, Problem, RecipeError

__all__ = [
    "COMMAND_LINE",
    "MAPPING_SOURCE",
    "KeyPath",
    "Node",
    "Scalar",
    "Tree",
    "dotted",
    "dump_recipe",
    "load_plain",
    "plain",
    "plain_scalar",
    "read_file",
    "read_mapping",
    "read_value",
]

COMMAND_LINE = Place("command line")
"""Where everything stands that an override brought in."""

MAPPING_SOURCE = Place("<recipe>")
"""Where everything stands in a recipe that was given as a mapping."""

MAX_NODES = 100_000
"""Most values in one recipe once its aliases are expanded; a few lines of aliases can stand for billions."""

MAX_DEPTH = 100
"""Deepest nesting of lists and mappings; recursion over the tree stays far from Python's own limit."""

MAX_DIGITS = 4000
"""Longest integer; Python refuses to convert more than 4300 digits."""

NULL = re.compile(r"null|Null|NULL|~|")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)")
NAN = re.compile(r"\.nan|\.NaN|\.NAN")
LINE_BREAK = re.compile(r"[\n\r\x85\u2028\u2029]")

CORE_TAG = "tag:yaml.org,2002:"
"""What `!!` stands for in front of a tag."""

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


class _Mark(NamedTuple):
    """A position as PyYAML counts, from 0."""

    line: int
    column: int


def dotted(path: KeyPath) -> str:
    """Write a path as problems and overrides do: `features.0.embedding_dim`."""
    return ".".join(str(part) for part in path)


def plain(node: Node) -> Any:  # what YAML can say has no tighter type
    """Return the value without its places: scalars, lists and dictionaries."""
    if isinstance(node.content, dict):
        return {key: plain(child) for key, child in node.content.items()}
    if isinstance(node.content, tuple):
        return [plain(child) for child in node.content]
    return node.content


def plain_scalar(text: str) -> Scalar:
    """Resolve an unquoted scalar by the core schema of YAML 1.2; whatever is nothing else is a string."""
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text.lower() == "true"
    if INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if FLOAT.fullmatch(text):
        return float(text)
    if match := INFINITY.fullmatch(text):
        return -math.inf if match[1] == "-" else math.inf
    return math.nan if NAN.fullmatch(text) else text


# --- from files, values and mappings to trees ------------------------------------------------------------


def read_file(path: Path) -> Tree:
    """Read a recipe file; RecipeError where there is no tree to go on with (syntax, encoding, no file)."""
    file = str(path)
    text = _decode(_bytes_of(path), file)
    tree = _read(text, lambda mark: Place(file, mark.line + 1, mark.column + 1))
    if tree.root.content is None:
        raise _fatal(Place(file), "the recipe is empty", tree.problems)
    if not isinstance(tree.root.content, dict):
        kind = "a list" if isinstance(tree.root.content, tuple) else "a single value"
        raise _fatal(tree.root.place, f"a recipe is a mapping of keys to values, got {kind}", tree.problems)
    return tree


def read_value(text: str) -> Tree:
    """Read the right-hand side of an override by the rules of recipe files."""
    return _read(text, lambda mark: COMMAND_LINE)


def read_mapping(data: Mapping[str, Any]) -> Tree:
    """Turn plain data into a tree whose places all are `<recipe>`."""
    composer = _Composer(iter(()), lambda mark: MAPPING_SOURCE)
    return Tree(composer.adopt(data, ()), tuple(composer.problems))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        reason = "no such file"
    except IsADirectoryError:
        reason = "is a directory; give the recipe file itself"
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}"
    raise _fatal(Place(str(path)), reason)


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before[before.rfind(b"\n") + 1 :].decode("utf-8", errors="replace").removeprefix("\ufeff")
        place = Place(file, before.count(b"\n") + 1, len(line) + 1)
        raise _fatal(place, f"not UTF-8 text: byte 0x{error.object[error.start]:02x}") from None


def load_plain(path: Path) -> dict[str, Any]:
    """Read a recipe file as the plain data that stands in it; RecipeError where anything is wrong with it."""
    tree = read_file(path)
    if tree.problems:
        raise RecipeError(tree.problems)
    return dict(plain(tree.root))


def _read(text: str, place: Callable[[_Mark], Place]) -> Tree:
    composer = _Composer(yaml.parse(text, Loader=yaml.SafeLoader), place)
    try:
        return Tree(composer.document(), tuple(composer.problems))
    except RecipeError as error:
        raise RecipeError([*composer.problems, *error.problems]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = _Mark(before.count("\n"), len(before) - before.rfind("\n") - 1)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed; write it as an escape"
        raise _fatal(place(mark), message, composer.problems) from None
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark or error.context_mark
        mark = _Mark(found.line, found.column) if found else _Mark(0, 0)
        raise _fatal(place(mark), _syntax_message(error, text), composer.problems) from None


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    context = f" ({error.context})" if error.context else ""
    hint = ""
    if "flow" in context and "${" in text:
        hint = "; quote values that hold ${...} between brackets"
    elif "alias" in context:
        hint = "; quote a value that begins with *"
    return f"not valid YAML: {error.problem}{context}{hint}"


def _fatal(place: Place, message: str, others: tuple[Problem, ...] | list[Problem] = ()) -> RecipeError:
    return RecipeError([*others, Problem(place, "", message)])


class _Composer:
    """Builds the tree from YAML events, collecting what is wrong; raises where it cannot go on."""

    def __init__(self, events: Iterator[Any], place: Callable[[_Mark], Place]) -> None:
        self.events = events
        self.place = place
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0

    def document(self) -> Node:
        """Compose the one document; an empty stream counts as null."""
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            nothing = self.place(_Mark(0, 0))
            return Node(None, nothing, nothing)
        root = self._node(next(self.events), ())
        next(self.events)  # the end of the document
        if not isinstance(event := next(self.events), yaml.StreamEndEvent):
            raise _fatal(self.place(event.start_mark), "a recipe is one YAML document, a second starts here")
        return root

    def adopt(self, value: Any, path: KeyPath) -> Node:
        """Build the tree of plain data."""
        self._count(MAPPING_SOURCE, path)
        if isinstance(value, Mapping):
            pairs = [(Node(key, MAPPING_SOURCE, MAPPING_SOURCE), child) for key, child in value.items()]
            named = [(str(key.content), child) for key, child in pairs if self._is_string(key, path)]
            content = {key: self.adopt(child, (*path, key)) for key, child in named}
            return Node(content, MAPPING_SOURCE, MAPPING_SOURCE)
        if isinstance(value, list | tuple):
            items = tuple(self.adopt(item, (*path, index)) for index, item in enumerate(value))
            return Node(items, MAPPING_SOURCE, MAPPING_SOURCE)
        if value is not None and type(value) not in (str, int, float, bool):
            self._report(MAPPING_SOURCE, path, f"expected plain data, got a {type(value).__name__}")
            value = str(value)
        return Node(value, MAPPING_SOURCE, MAPPING_SOURCE)

    def _node(self, event: Any, path: KeyPath) -> Node:
        place = self.place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), place, path)
        self._count(place, path)
        if event.tag is not None:
            shown = str(event.tag).replace(CORE_TAG, "!!")
            self._report(place, path, f"the tag {shown!r} is not allowed; a recipe is plain data")
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
        if event.style is not None:
            return str(event.value)
        if INTEGER.fullmatch(event.value) and len(event.value) > MAX_DIGITS:
            self._report(place, path, f"the number has {len(event.value)} digits, at most {MAX_DIGITS}")
            return 0
        return plain_scalar(event.value)

    def _items(self, path: KeyPath) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self._node(event, (*path, index))
            index += 1

    def _mapping(self, path: KeyPath) -> dict[str, Node]:
        content: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            merge = isinstance(event, yaml.ScalarEvent) and event.style is None and event.value == "<<"
            key = self._node(event, path)
            value = self._node(next(self.events), (*path, str(key.content)))
            if merge:
                self._report(key.place, path, "merge keys (<<) are not allowed; use 'extends'")
            elif self._is_string(key, path) and self._is_new(key, path, content):
                content[str(key.content)] = replace(value, key=key.place)
        return content

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
            raise _fatal(place, f"not valid YAML: the alias *{anchor} has no anchor &{anchor}{hint}")
        node = self.anchors[anchor]
        if node is None:
            raise _fatal(place, f"the alias *{anchor} stands inside what it names")
        self._expand(node, place, path)
        return replace(node, place=place, key=place)

    def _expand(self, node: Node, place: Place, path: KeyPath) -> None:
        """Count what an alias stands for as if it were written out."""
        self._count(place, path)
        if isinstance(node.content, dict):
            for key, child in node.content.items():
                self._expand(child, place, (*path, key))
        elif isinstance(node.content, tuple):
            for index, child in enumerate(node.content):
                self._expand(child, place, (*path, index))

    def _count(self, place: Place, path: KeyPath) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _fatal(place, f"the recipe has more than {MAX_NODES} values once aliases are expanded")
        if len(path) > MAX_DEPTH:
            raise _fatal(place, f"lists and mappings are nested more than {MAX_DEPTH} deep")

    def _report(self, place: Place, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(place, dotted(path), message))


def _yaml_word(value: Scalar) -> str:
    return "null" if value is None else str(value).lower()


# --- from plain data to text -----------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Quotes every string that this reader, or one of YAML 1.1, would take for something else."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Return the tag an unquoted scalar would get; one that is not a string's makes a string quoted."""
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        if kind is yaml.ScalarNode and implicit[0] and tag == CORE_TAG + "str":
            return tag if isinstance(plain_scalar(value), str) else CORE_TAG + "float"
        return tag

    def represent_scalar(self, tag: str, value: Any, style: str | None = None) -> yaml.ScalarNode:
        """Escape every line break: PyYAML folds U+0085 and its like when they stand in other quotes."""
        return super().represent_scalar(tag, value, '"' if LINE_BREAK.search(value) else style)

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out where it stands."""
        return True


def dump_recipe(data: Mapping[str, Any]) -> str:
    """Write plain data as block-style YAML, keys in their order; reading it gives the same data back."""
    text = yaml.dump(
        dict(data),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=math.inf,
    )
    return str(text)
