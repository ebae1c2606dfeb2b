from __future__ import annotations

from collections.abc import Iterator

import pytest

from seqlab.engine.device import threads


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Compute on one thread: for tensors this small more of them only get into each other's way."""
    with threads(1):
        yield
