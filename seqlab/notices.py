"""What the log warns of, kept for the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

__all__ = ["warnings_kept"]


class Keeping(logging.Handler):
    """Keeps the warnings of the thread that it is made in."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = get_ident()
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning that says something new."""
        if record.thread == self.thread and record.getMessage() not in self.kept:
            self.kept.append(record.getMessage())


@contextmanager
def warnings_kept() -> Iterator[list[str]]:
    """Give a list to which each warning is added that seqlab logs in the block."""
    keeping, logger = Keeping(), logging.getLogger("seqlab")
    logger.addHandler(keeping)
    try:
        yield keeping.kept
    finally:
        logger.removeHandler(keeping)
