from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqlab import Lab
from seqlab.builtin.core.datasets.series_entries import SERIES_SETS
from seqlab.builtin.speech.datasets.entries import SPEECH_SETS
from seqlab.builtin.text.datasets.entries import TEXT_SETS
from seqlab.datasets import DatasetEntry
from seqlab.datasets.checksums import check_dataset

ENTRIES = {entry.name: entry for entry in (*TEXT_SETS, *SPEECH_SETS, *SERIES_SETS)}

PREFIXES = {"pos", "chunk", "ner", "speech", "cls", "s2s", "lm", "ts", "vec"}
"""Names begin with the task."""


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_an_entry_says_all_that_a_user_needs(entry: DatasetEntry, lab: Lab) -> None:
    assert entry.name.split("_")[0] in PREFIXES
    assert lab.registry.dataset(entry.name) is entry
    assert lab.registry.dataset_owner(entry.name) == "seqlab"
    splits = {
        path for paths in entry.splits.values() for path in ([paths] if isinstance(paths, str) else paths)
    }
    assert splits <= set(entry.checksums), "every split is checked"


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES.values() if entry.reader], ids=lambda e: e.name)
def test_the_reader_of_an_entry_is_there_and_takes_its_settings(entry: DatasetEntry, lab: Lab) -> None:
    assert entry.reader
    settings = {key: value for key, value in entry.reader.items() if key != "name"}
    lab.registry.get("reader", entry.reader["name"]).config.model_validate(settings)


@pytest.mark.data
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_the_published_set_is_the_one_of_the_entry(entry: DatasetEntry) -> None:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA is not set")
    check_dataset(entry, Path(os.environ["SEQLAB_DATA"]) / entry.name)
