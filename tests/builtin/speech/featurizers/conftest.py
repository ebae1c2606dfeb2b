from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

import pytest

from seqlab.builtin.speech.featurizers.backends import CANNOT_IMPORT, LIBRARIES
from seqlab.engine.device import threads


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Compute on one thread: for tensors this small more of them only get into each other's way."""
    with threads(1):
        yield


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Skip a test, saying why, where the library of a backend cannot be imported: seqlab works without."""

    def check(backend: str) -> None:
        if backend in LIBRARIES:
            try:
                importlib.import_module(backend)
            except CANNOT_IMPORT as error:
                pytest.skip(f"{backend} cannot be imported ({type(error).__name__}: {error})")

    return check
