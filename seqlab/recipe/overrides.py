"""What is laid over a recipe: a recipe over the base that it extends, `KEY=VALUE` over both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seqlab.errors import Problem, RecipeError
from seqlab.recipe.composing import MAX_DEPTH
from seqlab.recipe.problems import show
from seqlab.recipe.reader import read_value
from seqlab.recipe.scalars import unfit
from seqlab.recipe.tree import COMMAND_LINE, KeyPath, Node, cut, dotted

__all__ = ["apply_overrides", "long_form", "long_forms", "merge"]

COMPONENT_KEYS = ("encoder", "head")
"""Top-level keys that hold one component, or a list as well."""

COMPONENT_LIST_KEYS = ("features", "augment", "encoder", "head", "metrics", "observers")
"""Top-level keys that hold lists of components."""


def long_forms(root: Node) -> Node:
    """Write every component that is given by its bare name as `{name: ...}`."""
    if not isinstance(root.content, dict):
        return root
    content = dict(root.content)
    for key in COMPONENT_KEYS:
        if key in content:
            content[key] = long_form(content[key])
    for key in COMPONENT_LIST_KEYS:
        if key in content and isinstance(items := content[key].content, tuple):
            content[key] = replace(content[key], content=tuple(long_form(item) for item in items))
    if "data" in content and isinstance(data := content["data"].content, dict) and "reader" in data:
        reader = long_form(data["reader"])
        content["data"] = replace(content["data"], content={**data, "reader": reader})
    return replace(root, content=content)


def long_form(node: Node) -> Node:
    """Write one component that is given by its bare name as `{name: ...}`."""
    if not isinstance(node.content, str):
        return node
    return replace(node, content={"name": Node(node.content, node.place, node.place)})


def merge(base: Node, top: Node) -> Node:
    """Lay `top` over `base`: mappings merge key by key, lists and scalars replace.

    Below the top level a mapping with another `name` than the base's replaces it wholly: the keys of one
    component mean nothing to the next.
    """
    if not (isinstance(base.content, dict) and isinstance(top.content, dict)):
        return top
    content = dict(base.content)
    for key, node in top.content.items():
        below = content.get(key)
        content[key] = node if below is None or _renamed(below, node) else merge(below, node)
    return replace(top, content=content)


def _renamed(base: Node, top: Node) -> bool:
    names = [
        node.content["name"].content
        for node in (base, top)
        if isinstance(node.content, dict) and "name" in node.content
    ]
    return len(names) == 2 and names[0] != names[1]


def apply_overrides(root: Node, overrides: Sequence[str], problems: list[Problem]) -> Node:
    """Set each `KEY=VALUE` in turn; those that cannot be set go to `problems`."""
    for override in overrides:
        try:
            root = long_forms(_apply(root, override))
        except RecipeError as error:
            problems += error.problems
    return root


def _apply(root: Node, override: str) -> Node:
    key, equals, text = override.partition("=")
    if not equals:
        raise _refused("", f"expected KEY=VALUE, got {show(override)}")
    path = tuple(key.split("."))
    if not all(path):
        raise _refused("", f"expected KEY=VALUE with a dotted key, got {show(override)}")
    if len(path) > MAX_DEPTH or unfit(key, key):
        reason = unfit(key, key) or f"the key has {len(path)} parts, at most {MAX_DEPTH}"
        raise _refused("", f"{reason}: {show(override)}")
    if path == ("extends",):
        raise _refused(key, "cannot be set on the command line; write it into the recipe")
    return _assign(root, path, _value(key, text), ())


def _value(key: str, text: str) -> Node:
    try:
        tree = read_value(text)
        problems = tree.problems
    except RecipeError as error:
        problems = error.problems
    if problems:
        raise RecipeError([replace(found, path=f"{key}.{found.path}".rstrip(".")) for found in problems])
    return tree.root


def _assign(node: Node, path: Sequence[str], value: Node, done: KeyPath) -> Node:
    """Return `node` with `value` at `path` below it; `done` is the path of `node` itself."""
    if not path:
        return replace(value, key=node.key)
    key, *rest = path
    content = {} if node.content is None else node.content
    if isinstance(content, dict):
        child = content.get(key, Node(None, COMMAND_LINE, COMMAND_LINE))
        changed = {**content, key: _assign(child, rest, value, (*done, key))}
        return replace(node, content=changed, place=COMMAND_LINE if node.content is None else node.place)
    if not isinstance(content, tuple):
        message = f"cannot be set: {dotted(done)} is {show(content)}, not a mapping or a list"
        raise _refused(dotted((*done, *path)), message)
    index = _index(key, len(content), (*done, *path), dotted(done))
    child = _assign(content[index], rest, value, (*done, key))
    return replace(node, content=(*content[:index], child, *content[index + 1 :]))


def _index(key: str, length: int, path: KeyPath, owner: str) -> int:
    items = "1 item" if length == 1 else f"{length} items"
    if not (key.isascii() and key.isdigit()):
        raise _refused(dotted(path), f"{owner} is a list of {items}, {show(key)} is not an index (0, 1, ...)")
    if len(key) > len(str(length)) or int(key) >= length:
        raise _refused(dotted(path), f"there is no item {cut(key)}; {owner} has {items}, counted from 0")
    return int(key)


def _refused(path: str, message: str) -> RecipeError:
    return RecipeError([Problem(COMMAND_LINE, path, message)])
