"""A server with data, and a machine that has none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_server import DataServer, serving

from seqlab.datasets import DatasetEntry, Download, fetching

FACTS = {"summary": "a set", "licence": "CC0", "citation": "nobody", "origin": "the tests"}


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, empty; nothing lies elsewhere, and no proxy stands before this machine."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "WAIT", 0.0)
    return tmp_path / "cache"


@pytest.fixture
def entry() -> Callable[..., DatasetEntry]:
    """Make an entry of the files at some URLs, by their names and contents."""

    def make(files: dict[str, tuple[str, bytes | None]], /, **more: Any) -> DatasetEntry:
        downloads = tuple(
            Download(name=name, urls=(url,), sha256=body and hashlib.sha256(body).hexdigest())
            for name, (url, body) in files.items()
        )
        return DatasetEntry(name="tiny", **FACTS, downloads=downloads, **more)

    return make
