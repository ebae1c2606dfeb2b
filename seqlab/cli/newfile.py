"""A file that a command writes: new, and there only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from seqlab.errors import SeqlabError

__all__ = ["new_file"]


@contextmanager
def new_file(path: Path, option: str) -> Iterator[BinaryIO]:
    """Open the file that `option` names; it has its name when it is whole, and a failure leaves nothing.

    A usage error where it exists or cannot be made, SeqlabError where not all of it can be written, on a
    full disk say.
    """
    if path.exists():
        raise click.UsageError(f"{option} {path}: exists already; choose another name or remove it")
    partial = path.with_name(path.name + ".partial")
    try:
        stream = partial.open("wb")
    except OSError as error:
        raise click.UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
        partial.rename(path)
    except OSError as error:  # of the output only: readers turn theirs into DataError
        partial.unlink(missing_ok=True)
        raise SeqlabError(f"{path}: cannot be written: {error.strerror}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
