"""Text: tokens and their labels, treebanks, tables of texts, sample data for a run on a fresh machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.api import Component, DatasetEntry, Located, Writer, hookimpl
from seqlab.builtin.text.datasets.entries import TEXT_SETS
from seqlab.builtin.text.featurizers import components as featurizers
from seqlab.builtin.text.heads import components as heads
from seqlab.builtin.text.metrics import components as metrics
from seqlab.builtin.text.readers import components as readers
from seqlab.builtin.text.writers import ConlluWriter

if TYPE_CHECKING:
    import click

__all__ = [
    "seqlab_locate",
    "seqlab_register_commands",
    "seqlab_register_datasets",
    "seqlab_register_featurizers",
    "seqlab_register_heads",
    "seqlab_register_metrics",
    "seqlab_register_readers",
    "seqlab_register_writers",
]

SCHEME = "sample:"
SAMPLES = Path(__file__).parent / "samples"

NOTICES = {
    "english": "data: the small English sample treebank that comes with seqlab; it shows how things work, not"
    " how good they are. For a real treebank: seqlab recipes show pos_ewt",
    "hello": "data: one word, which shows how a recurrent net learns what comes next",
    "order": "data: the sample sentences that differ by order alone; they show that a model knows order,"
    " not how good it is at sentiment. For real sentences: seqlab recipes show sentiment_rt",
}


@hookimpl
def seqlab_locate(uri: str) -> Located | None:
    """Find a sample file by the path behind `sample:`, as in `sample:english/train.conllu`."""
    if not uri.startswith(SCHEME):
        return None
    path = uri.removeprefix(SCHEME)
    return Located(SAMPLES / path, NOTICES.get(path.split("/")[0], ""))


@hookimpl
def seqlab_register_commands() -> Iterable[click.Command]:
    """Return the commands of language models."""
    from seqlab.builtin.text.commands import dynamic_evaluation, generate

    return [dynamic_evaluation, generate]


@hookimpl
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Return the sets of text."""
    return TEXT_SETS


@hookimpl
def seqlab_register_featurizers() -> Iterable[Component[Any]]:
    """Return the featurizers of words."""
    return featurizers.COMPONENTS


@hookimpl
def seqlab_register_heads() -> Iterable[Component[Any]]:
    """Return the head of one label per token."""
    return heads.COMPONENTS


@hookimpl
def seqlab_register_metrics() -> Iterable[Component[Any]]:
    """Return the metrics of token labels."""
    return metrics.COMPONENTS


@hookimpl
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Return the readers of text."""
    return readers.COMPONENTS


@hookimpl
def seqlab_register_writers() -> Iterable[Writer]:
    """Return the writer of treebanks."""
    return [ConlluWriter()]
