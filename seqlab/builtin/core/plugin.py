"""What all domains share: encoders, classes of sequences, observers, data sets that belong to none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seqlab.api import Component, DatasetEntry, FieldKind, Writer, hookimpl
from seqlab.builtin.core.datasets.series_entries import SERIES_SETS
from seqlab.builtin.core.encoders import components as encoders
from seqlab.builtin.core.encoders import order_free_components as order_free
from seqlab.builtin.core.fields import KINDS
from seqlab.builtin.core.heads import components as heads
from seqlab.builtin.core.metrics import components as metrics
from seqlab.builtin.core.observers import components as observers
from seqlab.builtin.core.writers import WRITERS

__all__ = [
    "seqlab_register_datasets",
    "seqlab_register_encoders",
    "seqlab_register_field_kinds",
    "seqlab_register_heads",
    "seqlab_register_metrics",
    "seqlab_register_observers",
    "seqlab_register_writers",
]


@hookimpl
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Return the sets of series."""
    return SERIES_SETS


@hookimpl
def seqlab_register_encoders() -> Iterable[Component[Any]]:
    """Return the encoders."""
    return (*encoders.COMPONENTS, *order_free.COMPONENTS)


@hookimpl
def seqlab_register_heads() -> Iterable[Component[Any]]:
    """Return the head of one answer for each sequence."""
    return heads.COMPONENTS


@hookimpl
def seqlab_register_metrics() -> Iterable[Component[Any]]:
    """Return the metrics of labels."""
    return metrics.COMPONENTS


@hookimpl
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return the observers."""
    return observers.COMPONENTS


@hookimpl
def seqlab_register_field_kinds() -> Iterable[FieldKind[Any]]:
    """Return the kinds of fields that any task may have."""
    return KINDS


@hookimpl
def seqlab_register_writers() -> Iterable[Writer]:
    """Return the writers that suit any task."""
    return WRITERS
