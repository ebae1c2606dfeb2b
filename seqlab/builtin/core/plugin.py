"""What all domains share: encoders, observers, and data sets that belong to none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seqlab.api import Component, DatasetEntry, hookimpl
from seqlab.builtin.core.datasets.series_entries import SERIES_SETS
from seqlab.builtin.core.encoders import components as encoders
from seqlab.builtin.core.observers import components as observers

__all__ = ["seqlab_register_datasets", "seqlab_register_encoders", "seqlab_register_observers"]


@hookimpl
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Return the sets of series."""
    return SERIES_SETS


@hookimpl
def seqlab_register_encoders() -> Iterable[Component[Any]]:
    """Return the encoders."""
    return encoders.COMPONENTS


@hookimpl
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return the observers."""
    return observers.COMPONENTS
