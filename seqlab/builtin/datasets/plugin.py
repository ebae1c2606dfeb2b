"""The built-in catalogue of data sets."""

from __future__ import annotations

from collections.abc import Iterable

from seqlab.api import DatasetEntry, hookimpl
from seqlab.builtin.datasets.series_entries import SERIES_SETS
from seqlab.builtin.datasets.speech_entries import SPEECH_SETS
from seqlab.builtin.datasets.text_entries import TEXT_SETS

__all__ = ["seqlab_register_datasets"]


@hookimpl
def seqlab_register_datasets() -> Iterable[DatasetEntry]:
    """Register the sets of text, speech and series."""
    return (*TEXT_SETS, *SPEECH_SETS, *SERIES_SETS)
