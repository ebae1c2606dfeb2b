"""Opening files that somebody else has named: a recipe, a package, a list of sounds.

A device never ends and a FIFO never begins: only regular files are opened, so that neither can hang a command
or fill the memory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_regular", "read_regular"]

OTHERS: Mapping[str, Callable[[int], bool]] = {
    "a folder": stat.S_ISDIR,
    "a FIFO": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file for reading, also through links; OSError, with the reason, for anything else."""
    # Without O_NONBLOCK, opening a FIFO waits for somebody to write.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    what = next((name for name, matches in OTHERS.items() if matches(mode)), "no file")
    raise OSError(errno.EINVAL, f"it is {what}, and only regular files are read", str(path))


def read_regular(path: Path | str) -> bytes:
    """Return the content of a regular file; OSError as `open_regular` raises it."""
    with open_regular(path) as file:
        return file.read()
