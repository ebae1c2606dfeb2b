"""A file that a command writes: new, and there only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from seqlab.cli.options import tell
from seqlab.errors import SeqlabError

__all__ = ["new_file"]


@contextmanager
def new_file(path: Path, option: str) -> Iterator[BinaryIO]:
    """Open the file that `option` names; it has its name when it is whole.

    What was written before a failure is kept under the name with `.partial` behind it, and told. A usage
    error where a file of either name exists or none can be made; SeqlabError, and nothing is kept, where not
    all of it can be written, on a full disk say.
    """
    if path.exists():
        raise click.UsageError(f"{option} {path}: exists already; choose another name or remove it")
    partial = path.with_name(path.name + ".partial")
    try:
        stream = partial.open("xb")
    except FileExistsError as error:
        message = f"{partial} exists, of a command that failed or still runs"
        raise click.UsageError(f"{option} {path}: {message}; choose another name or remove it") from error
    except OSError as error:
        raise click.UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
        partial.rename(path)
    except OSError as error:  # of the output only: readers turn theirs into DataError
        partial.unlink(missing_ok=True)
        raise SeqlabError(f"{path}: cannot be written: {error.strerror}; nothing of it is kept") from error
    except BaseException:
        keep(partial)
        raise


def keep(partial: Path) -> None:
    """Tell of the file that was not finished, or remove it where nothing was written."""
    if partial.stat().st_size:
        tell(f"kept: {partial} holds what was finished before")
    else:
        partial.unlink()
