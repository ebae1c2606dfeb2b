"""Speech: sound and its augmentation, frames, and texts learned without an alignment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seqlab.api import Component, DatasetEntry, FieldKind, hookimpl
from seqlab.builtin.speech.augmenters import components as augmenters
from seqlab.builtin.speech.datasets.entries import SPEECH_SETS
from seqlab.builtin.speech.featurizers import components as featurizers
from seqlab.builtin.speech.fields import AudioKind
from seqlab.builtin.speech.heads import components as heads
from seqlab.builtin.speech.metrics import components as metrics
from seqlab.builtin.speech.observers import components as observers
from seqlab.builtin.speech.readers import components as readers

if TYPE_CHECKING:
    import click

__all__ = [
    "seqlab_recipe_checked",
    "seqlab_register_augmenters",
    "seqlab_register_commands",
    "seqlab_register_datasets",
    "seqlab_register_featurizers",
    "seqlab_register_field_kinds",
    "seqlab_register_heads",
    "seqlab_register_metrics",
    "seqlab_register_observers",
    "seqlab_register_readers",
]


@hookimpl
def seqlab_recipe_checked(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return what in a recipe these components cannot do."""
    yield from readers.problems(recipe)
    yield from featurizers.problems(recipe, {component.name for component in readers.COMPONENTS})
    yield from augmenters.problems(recipe)
    yield from observers.problems(recipe)


@hookimpl
def seqlab_register_augmenters() -> Iterable[Component[Any]]:
    """Return the augmenters of sound and of frames."""
    return augmenters.COMPONENTS


@hookimpl
def seqlab_register_commands() -> Iterable[click.Command]:
    """Return the command that looks after the cache of features."""
    from seqlab.builtin.speech.commands import cache

    return [cache]


@hookimpl
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Return the sets of speech."""
    return SPEECH_SETS


@hookimpl
def seqlab_register_featurizers() -> Iterable[Component[Any]]:
    """Return the featurizers of sound."""
    return featurizers.COMPONENTS


@hookimpl
def seqlab_register_field_kinds() -> Iterable[FieldKind[Any]]:
    """Return sound as a kind of field."""
    return [AudioKind()]


@hookimpl
def seqlab_register_heads() -> Iterable[Component[Any]]:
    """Return the head of texts without alignment."""
    return heads.COMPONENTS


@hookimpl
def seqlab_register_metrics() -> Iterable[Component[Any]]:
    """Return the metrics of texts."""
    return metrics.COMPONENTS


@hookimpl
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return the observer of training by CTC."""
    return observers.COMPONENTS


@hookimpl
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Return the readers of speech."""
    return readers.COMPONENTS
