"""When the command looks for garbage: at work, and not while it imports."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage while the block imports, nor later among what it made: that stays.

    The search takes a tenth of an import of torch, and each later one goes through all of torch again.
    Elsewhere than in the command's own process, where `seqlab.__main__` has put the search off, nothing
    changes: what is frozen is never freed.
    """
    if gc.isenabled() and not gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
