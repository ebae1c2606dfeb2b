"""Decoding in a thread that has file descriptors of its own: what C code prints reaches nobody's stderr.

libmpg123 writes its complaints to file descriptor 2, and libsndfile has no switch for that. To redirect the
process's own would swallow what other threads write meanwhile. Linux lets a thread leave the table of
descriptors that it shares with the others; where it does not, or on other systems, complaints are not caught.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

__all__ = ["complaint", "own_descriptor", "quietly"]

T = TypeVar("T")

STDERR = 2

CLOSE_RANGE, UNSHARE, LAST = 436, 2, 0xFFFF_FFFF
"""Linux's call close_range (the number is that of every processor), its flag, and the last descriptor."""

NAME = "seqlab-decoder"
"""Names the memory that takes the place of standard error."""

HIGH, SPARE = 1024, 16
"""The first descriptor of a thread's own files, or so many below the limit: others have lower ones."""

END = object()


def quietly(steps: Callable[[], Generator[T, None, None]]) -> Iterator[T]:
    """Yield what a generator yields that runs in such a thread; what it opens it must close itself."""
    with ThreadPoolExecutor(1, "seqlab-decoder", initializer=_take_descriptors) as thread:
        running = thread.submit(steps).result()
        try:
            while (item := thread.submit(next, running, END).result()) is not END:
                yield item  # type: ignore[misc] # it is no END
        finally:
            with contextlib.suppress(RuntimeError):  # at the end of the interpreter no thread takes orders
                thread.submit(running.close).result()


def complaint() -> str:
    """Return the first error that C code has printed in this thread, an empty string where there is none."""
    if not _caught():
        return ""
    text = os.pread(STDERR, 4096, 0).decode(errors="replace")
    return next((line.rpartition("error:")[2].strip() for line in text.splitlines() if "error:" in line), "")


@contextlib.contextmanager
def own_descriptor(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give a file that is open, and close it; in such a thread under a descriptor that others do not close.

    Python may collect a file of another thread here, and would close what has its number in this table.
    """
    if sys.platform != "linux" or not _caught():
        with stream:
            yield stream
        return
    import fcntl

    with stream:
        descriptor = fcntl.fcntl(stream.fileno(), fcntl.F_DUPFD_CLOEXEC, _high())
    thread = threading.get_ident()
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as own:
            yield own
    finally:
        # What is still open when the interpreter ends is ended by another thread, of which it is no number.
        if threading.get_ident() == thread:
            os.close(descriptor)


def _high() -> int:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HIGH if limit == resource.RLIM_INFINITY else max(STDERR + 1, min(HIGH, limit - SPARE))


def _take_descriptors() -> None:
    """Leave the common table for one with the first three descriptors alone, the third one held in memory."""
    if sys.platform != "linux":
        return
    call = ctypes.CDLL(None).syscall
    # The others must not be kept: who waits for the end of a pipe would wait for this thread.
    if call(
        ctypes.c_long(CLOSE_RANGE), ctypes.c_uint(STDERR + 1), ctypes.c_uint(LAST), ctypes.c_uint(UNSHARE)
    ):
        return
    memory = os.memfd_create(NAME)
    os.dup2(memory, STDERR)
    os.close(memory)


def _caught() -> bool:
    """Return whether descriptor 2 is this thread's own."""
    try:
        return sys.platform == "linux" and NAME in str(Path(f"/proc/thread-self/fd/{STDERR}").readlink())
    except OSError:
        return False
