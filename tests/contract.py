"""Which built-in components the contract tests know, so that none can be forgotten."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from seqlab.api import Component
from seqlab.lab import BUILT_IN

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
    for name in BUILT_IN:
        yield from getattr(importlib.import_module(name), f"seqlab_register_{kind}s", list)()
