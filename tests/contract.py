"""Which built-in components the contract tests know, so that none can be forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import seqlab.builtin
from seqlab.api import Component

Configs = Mapping[str, list[dict[str, Any]]]
"""By component, the configurations in which it is tested."""


def registered(kind: str) -> dict[str, Component[Any]]:
    """Return the components of a kind that any built-in plugin registers, by name."""
    return {component.name: component for component in _registered(kind)}


def rows(kind: str, table: Configs) -> list[Any]:
    """Return (component, configuration) for each row of the table, as parameters for pytest."""
    found = registered(kind)
    return [
        pytest.param(found[name], config, id=f"{name}-{number}")
        for name, configs in table.items()
        for number, config in enumerate(configs)
        if name in found
    ]


def _registered(kind: str) -> Iterator[Component[Any]]:
    packages = pkgutil.iter_modules(seqlab.builtin.__path__, "seqlab.builtin.")
    for package in packages:
        if package.ispkg:
            plugin = importlib.import_module(f"{package.name}.plugin")
            yield from getattr(plugin, f"seqlab_register_{kind}s", list)()
