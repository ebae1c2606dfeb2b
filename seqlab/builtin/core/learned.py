"""Reading back what components have learned: a package may come from a stranger, so types are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqlab.suggest import shown

__all__ = ["distinct_strings", "numbers", "strings_by_string"]


def distinct_strings(state: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of strings of which none stands twice; ValueError for anything else."""
    values = state[key]
    if not isinstance(values, list):
        raise ValueError(f"{key!r} is {shown(values)} where a list of strings is needed")
    seen: set[str] = set()
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{key!r} holds {shown(value)}, which is no string")
        if value in seen:
            raise ValueError(f"{key!r} holds {shown(value)} twice")
        seen.add(value)
    return values


def numbers(state: Mapping[str, Any], key: str) -> list[float]:
    """Return a list of numbers; ValueError for anything else."""
    values = state[key]
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{key!r} is {shown(values)} where a list of numbers is needed")
    return values


def strings_by_string(state: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return a mapping of strings to strings; ValueError for anything else."""
    values = state[key]
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError(f"{key!r} is {shown(values)} where an object of strings is needed")
    return values
