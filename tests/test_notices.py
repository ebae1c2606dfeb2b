"""Warnings of the log that are kept for the report."""

from __future__ import annotations

import logging
from threading import Thread

from seqlab.notices import warnings_kept


def test_warnings_of_this_thread_and_block_are_kept_each_once() -> None:
    logger = logging.getLogger("seqlab.builtin.anything")
    logger.warning("before")
    with warnings_kept() as kept:
        logger.warning("%d words", 3)
        logger.warning("3 words")
        logger.info("no warning")
        logger.error("worse")
        other = Thread(target=logger.warning, args=("of another run",))
        other.start()
        other.join()
    logger.warning("after")
    assert kept == ["3 words", "worse"]
