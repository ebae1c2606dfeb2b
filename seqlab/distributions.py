"""Installed distributions: their versions, and which have entry points for seqlab; none is imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version

__all__ = ["declaring", "installed_version"]


def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution, or an empty string where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def declaring(group: str) -> Iterator[Distribution]:
    """Yield the distributions that declare entry points of a group, in the order of the path."""
    for distribution in distributions():
        # The text is searched before anything is parsed: other people's damaged metadata is not our business.
        if f"[{group}]" in (distribution.read_text("entry_points.txt") or ""):
            yield distribution
