"""The hooks of seqlab, the whole seam between the host and its plugins.

Hooks return components; nothing is registered by a side effect. A plugin is a module or an object whose
methods carry `@hookimpl` and one of these names. Parameters may be left out of an implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from seqlab.datasets import DatasetEntry
from seqlab.plugin.component import Component
from seqlab.plugin.fields import FieldKind
from seqlab.plugin.kinds import Located, RunInfo
from seqlab.plugin.writers import Writer

if TYPE_CHECKING:
    import click

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "seqlab"
"""pluggy's project name and the entry-point group that plugins use."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Return components of kind reader: files to examples."""
    return ()


@hookspec
def seqlab_register_featurizers() -> Iterable[Component[Any]]:
    """Return components of kind featurizer: one field of the examples to features."""
    return ()


@hookspec
def seqlab_register_augmenters() -> Iterable[Component[Any]]:
    """Return components of kind augmenter: training examples to changed ones, at random."""
    return ()


@hookspec
def seqlab_register_encoders() -> Iterable[Component[Any]]:
    """Return components of kind encoder: features to states."""
    return ()


@hookspec
def seqlab_register_heads() -> Iterable[Component[Any]]:
    """Return components of kind head: states to losses and answers."""
    return ()


@hookspec
def seqlab_register_metrics() -> Iterable[Component[Any]]:
    """Return components of kind metric: gold and predicted answers to figures."""
    return ()


@hookspec
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return components of kind observer: they watch training step by step."""
    return ()


@hookspec
def seqlab_register_field_kinds() -> Iterable[FieldKind[Any]]:
    """Return kinds of fields: what a field of an example can hold."""
    return ()


@hookspec
def seqlab_register_writers() -> Iterable[Writer]:
    """Return writers: formats of predictions, for `seqlab predict --to`."""
    return ()


@hookspec
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Return entries of the catalogue of data sets, for `seqlab data` and the recipe key `data.dataset`."""
    return ()


@hookspec
def seqlab_register_commands() -> Iterable[click.Command]:
    """Return click commands that join the `seqlab` command line."""
    return ()


@hookspec(firstresult=True)
def seqlab_locate(uri: str, base: Path) -> Located | None:
    """Turn a data URI (`scheme:rest`) of a recipe into a local path, or return None for an unknown scheme.

    `base` is the folder of the recipe. The first plugin that answers wins.
    """


@hookspec
def seqlab_recipe_checked(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return what is wrong with a resolved recipe in which seqlab itself has found no problem.

    Each finding is the dotted path of a key (`encoder.hidden_size`) and a message; seqlab adds file and line.
    """
    return ()


@hookspec
def seqlab_run_started(run: RunInfo) -> None:
    """See a run begin: its folder and resolved recipe are written, no data is read yet."""


@hookspec
def seqlab_run_finished(run: RunInfo, report: Mapping[str, Any] | None, error: BaseException | None) -> None:
    """See a run end: with its report, or with the error that ended it."""
