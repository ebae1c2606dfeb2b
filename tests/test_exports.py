"""Public modules say what is public, and everything public is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import seqlab

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(seqlab.__path__, "seqlab.")
    if not any(part.startswith("_") for part in info.name.split("."))
)


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, each sorted: the order of ruff's RUF022."""
    group = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return group, name


def defined(module: ModuleType) -> list[str]:
    """Return the public names that a module's own source assigns, defines or imports to re-export."""
    nodes = ast.parse(inspect.getsource(module)).body
    return [
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize("name", ["seqlab", *MODULES])
def test_every_public_name_is_listed_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert not defined(module), "a module with public names lists them in __all__"
        return
    assert exported == sorted(set(exported), key=order)
    for public in exported:
        thing = getattr(module, public)
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == name:
            assert thing.__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", ["seqlab", "seqlab.api", "seqlab.engine"])
def test_what_others_build_on_is_importable_with_a_star(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from {name} import *", namespace)
    assert set(importlib.import_module(name).__all__) <= set(namespace)
