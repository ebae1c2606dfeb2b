"""Opening files where somebody else may have had a hand in it.

For reading, what a recipe, a package or a list names: a device never ends and a FIFO never begins, so only
regular files are opened, and neither can hang a command or fill the memory. For writing, names in a folder
that may come from a stranger: a file is new or nobody else's, and never what a link leads to.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

__all__ = ["PARTIAL", "create_new", "open_regular", "open_to_append", "partial_name", "read_regular"]

PARTIAL = ".partial"
"""Ending of what is still being written, behind the name that it is to have and 16 random digits."""

OTHERS: Mapping[str, Callable[[int], bool]] = {
    "a folder": stat.S_ISDIR,
    "a FIFO": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def open_regular(path: Path | str) -> BufferedReader:
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


def partial_name(path: Path) -> Path:
    """Return a name beside `path` that nobody can foresee, for what is to replace it when it is whole."""
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}{PARTIAL}")


def create_new(path: Path) -> BinaryIO:
    """Make a file and open it for writing; FileExistsError where the name is taken, be it by a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def open_to_append(path: Path) -> BinaryIO:
    """Open a file at its end, and make it where there is none; OSError for a link, or what is no file.

    A file that has a second name is refused, too: what is written here would change it there.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, and no link is written through", str(path)) from None
        raise
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:  # some file systems count no names: 0
        return os.fdopen(descriptor, "ab")
    os.close(descriptor)
    reason = (
        "it has a second name (a hard link), under which it would change, too; put a copy in its place"
        if stat.S_ISREG(status.st_mode)
        else "it is no regular file"
    )
    raise OSError(errno.EINVAL, reason, str(path))
