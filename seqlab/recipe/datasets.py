"""`data.dataset`: reader and splits of a set in the catalogue, as a base under what the recipe says itself.

A split of a set is written as a URI, `dataset:pos_ewt/train.conllu`, here as by hand. So a resolved recipe
holds no path of this machine and needs no `dataset` key: where the set lies is asked when it is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from seqlab.datasets import DatasetEntry, find_dataset, not_here
from seqlab.errors import Place, Problem
from seqlab.recipe.overrides import merge
from seqlab.recipe.paths import DataString, Locate
from seqlab.recipe.problems import unlike
from seqlab.recipe.schema import SPLITS
from seqlab.recipe.tree import Node, plain
from seqlab.suggest import unknown

__all__ = ["DATASET", "SCHEME", "laid_over_each_other", "locating", "on_this_machine"]

DATASET = "dataset"
"""The key below `data` that names a set."""

SCHEME = "dataset:"
"""Begins the URI of a file in a set: `dataset:NAME/PATH`."""

Entries = Mapping[str, DatasetEntry]


def laid_over_each_other(layers: Sequence[Node], entries: Entries, problems: list[Problem]) -> Node:
    """Merge recipes, the lowest first; the uppermost data set takes the place of all data below it.

    Its reader and splits lie under the layer that names it. Of lower layers the splits are dropped: half of
    one set and half of another is nobody's wish. A set that is not known stays named, so that what it would
    have filled is not missed as well.
    """
    naming = [number for number, layer in enumerate(layers) if DATASET in _data(layer)]
    if not naming:
        return reduce(merge, layers)
    top = naming[-1]
    chosen = _data(layers[top])[DATASET].content is not None
    dropped = (DATASET, *SPLITS) if chosen else (DATASET,)
    below = [_without(layer, dropped) for layer in layers[:top]]
    return reduce(merge, [*below, _filled(layers[top], entries, problems), *layers[top + 1 :]])


def _data(root: Node) -> dict[str, Node]:
    data = root.content.get("data") if isinstance(root.content, dict) else None
    return data.content if data and isinstance(data.content, dict) else {}


def _with_data(root: Node, content: dict[str, Node]) -> Node:
    assert isinstance(root.content, dict)
    return replace(root, content=root.content | {"data": replace(root.content["data"], content=content)})


def _without(root: Node, keys: Collection[str]) -> Node:
    data = _data(root)
    if not data:
        return root
    return _with_data(root, {key: node for key, node in data.items() if key not in keys})


def _filled(root: Node, entries: Entries, problems: list[Problem]) -> Node:
    """Put reader and splits of the named set under the recipe's own, and take its name away."""
    named = _data(root)[DATASET]
    bare = _without(root, (DATASET,))
    if named.content is None:
        return bare
    entry = _entry(named, entries, problems)
    if entry is None:
        return root
    data = _data(merge(Node({"data": _base(entry, named)}, named.place, named.key), bare))
    return _with_data(bare, data)


def _entry(named: Node, entries: Entries, problems: list[Problem]) -> DatasetEntry | None:
    if not isinstance(named.content, str):
        message = unlike("the name of a data set", plain(named))
    elif named.content not in entries:
        message = unknown("data set", named.content, entries)
    else:
        return entries[named.content]
    problems.append(Problem(named.place, f"data.{DATASET}", message))
    return None


def _base(entry: DatasetEntry, named: Node) -> Node:
    reader = {} if entry.reader is None else {"reader": entry.reader}
    return _placed(
        reader | {split: _uris(entry.name, paths) for split, paths in entry.splits.items()}, named.place
    )


def _uris(name: str, paths: str | tuple[str, ...]) -> str | list[str]:
    if isinstance(paths, str):
        return f"{SCHEME}{name}/{paths}"
    return [f"{SCHEME}{name}/{path}" for path in paths]


def _placed(value: Any, place: Place) -> Node:
    """Return plain data as a tree all of which stands at one place."""
    if isinstance(value, Mapping):
        return Node({key: _placed(child, place) for key, child in value.items()}, place, place)
    if isinstance(value, list | tuple):
        return Node(tuple(_placed(child, place) for child in value), place, place)
    return Node(value, place, place)


def on_this_machine(
    strings: Sequence[DataString], entries: Entries, problems: list[Problem]
) -> list[DataString]:
    """Return the strings whose files can be looked for; a set that is not here is one problem, not three."""
    missing: dict[str, DataString] = {}
    for string in strings:
        name = _name(string.text)
        if name in entries and find_dataset(name) is None:
            missing.setdefault(name, string)
    problems += [Problem(string.place, "data", not_here(entries[name])) for name, string in missing.items()]
    return [string for string in strings if _name(string.text) not in missing]


def locating(entries: Entries, others: Locate | None) -> Locate:
    """Return what finds `dataset:` URIs in the sets' folders and leaves every other scheme to `others`."""

    def locate(uri: str, base: Path) -> Path | None:
        if not uri.startswith(SCHEME):
            return others(uri, base) if others else None
        name, _, path = uri.removeprefix(SCHEME).partition("/")
        if name not in entries:
            raise ValueError(unknown("data set", name, entries))
        if not path or ".." in Path(path).parts or Path(path).is_absolute():
            raise ValueError(f"expected {SCHEME}{name}/ and a file of that data set, got {uri!r}")
        folder = find_dataset(name)
        if folder is None:
            raise ValueError(not_here(entries[name]))
        return folder / path

    return locate


def _name(text: str) -> str:
    return text.removeprefix(SCHEME).partition("/")[0] if text.startswith(SCHEME) else ""
