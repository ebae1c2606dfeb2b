"""Answers as the input arrives: what standard input has brought is answered before more is waited for."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

__all__ = ["answer_arriving", "told_of_waits"]

Item = TypeVar("Item")

PATIENCE = 0.005
"""Seconds in which a writer that has more may go on, before standard input counts as waited for."""

BUFFER_BYTES = 1 << 18
"""What is read at once at most; a pipe holds less."""


def answer_arriving(
    items: Iterable[Item],
    answer: Callable[[Sequence[Item]], None],
    *,
    size: Callable[[Item], int],
    limit: int,
) -> None:
    """Give a stream to `answer` in lists: whenever standard input has to be waited for, and at the end.

    A list is closed, too, as soon as its sizes, at least 1 each, reach `limit`. Where the stream ends with an
    error, what came before it is answered first.
    """
    window = _Window(answer)
    try:
        with told_of_waits(window.close):
            for item in items:
                window.items.append(item)
                window.size += max(size(item), 1)
                if window.size >= limit:
                    window.close()
    except Exception:
        window.close()
        raise
    window.close()


class _Window(Generic[Item]):
    """What has arrived and is not answered yet; after an answer that failed there is none any more."""

    def __init__(self, answer: Callable[[Sequence[Item]], None]) -> None:
        self.answer = answer
        self.items: list[Item] = []
        self.size = 0
        self.failed = False

    def close(self) -> None:
        """Answer what there is."""
        items, self.items, self.size = self.items, [], 0
        if items and not self.failed:
            self.failed = True
            self.answer(items)
            self.failed = False


@contextmanager
def told_of_waits(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` whenever somebody who reads standard input is about to wait for it.

    Where it raises, standard input ends, and the error is raised when the block is left.
    """
    before = sys.stdin
    try:
        raw = _Arriving(before.fileno(), tell)
    except (AttributeError, OSError, ValueError):  # it is closed, or no file: nobody waits
        yield
        return
    sys.stdin = io.TextIOWrapper(io.BufferedReader(raw, BUFFER_BYTES))
    try:
        yield
    finally:
        sys.stdin = before
        if raw.failure:
            raise raw.failure


class _Arriving(io.RawIOBase):
    """A file descriptor to read from, lent; `before_wait` is called before each wait."""

    def __init__(self, descriptor: int, before_wait: Callable[[], None]) -> None:
        self.descriptor = descriptor
        self.before_wait = before_wait
        self.failure: Exception | None = None

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.descriptor

    def readinto(self, buffer: Any) -> int:
        """Read what there is, having told that it is waited for where there is nothing."""
        if not self.failure and not select.select([self.descriptor], [], [], PATIENCE)[0]:
            try:
                self.before_wait()
            except Exception as error:
                # Readers would take an OSError for one of their own: their file could not be read.
                self.failure = error
        return 0 if self.failure else os.readv(self.descriptor, [buffer])
