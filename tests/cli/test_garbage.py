"""Python's search for garbage is the command's own affair only in a process of its own."""

from __future__ import annotations

import gc

from seqlab.cli.garbage import uncollected


def test_in_the_process_of_another_program_nothing_changes() -> None:
    assert gc.isenabled()
    before = gc.get_freeze_count()
    with uncollected():
        assert gc.isenabled()
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, before)
