"""A file that a command writes: new, and there only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import click

from seqlab.cli.options import tell
from seqlab.cli.output import Output
from seqlab.errors import SeqlabError
from seqlab.openfile import create_new

__all__ = ["STANDARD_OUTPUT", "new_file", "output_path"]

STANDARD_OUTPUT = Path("-")


def output_path(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Return where an option sends its output; a usage error for the empty name, the current folder."""
    if value == "":
        raise click.BadParameter("expected the name of a new file, or - for standard output, got nothing")
    return None if value is None else Path(value)


@contextmanager
def new_file(path: Path, option: str) -> Iterator[BinaryIO]:
    """Open the file that `option` names; it has its name when it is whole.

    What was written before a failure is kept under the name with `.partial` behind it, and told; where it was
    the disk that failed, the last line may be cut off. A usage error where a file of either name exists or
    none can be made; SeqlabError where not all of it can be written.
    """
    if os.path.lexists(path):  # a link to nothing, too
        raise click.UsageError(f"{option} {path}: exists already; choose another name or remove it")
    partial = path.with_name(path.name + ".partial")
    try:
        stream = create_new(partial)
    except FileExistsError as error:
        message = f"{partial} exists, of a command that failed or still runs"
        raise click.UsageError(f"{option} {path}: {message}; choose another name or remove it") from error
    except OSError as error:
        raise click.UsageError(f"{option} {path}: cannot be written: {error.strerror}") from error
    output = Output(stream, str(path))
    try:
        yield cast("BinaryIO", output)
        output.attempt(stream.close)
        if os.path.lexists(path):
            raise SeqlabError(f"{path}: somebody else has made this file meanwhile")
        output.attempt(partial.rename, path)
    except BaseException:
        with suppress(OSError):
            stream.close()
        keep(partial)
        raise


def keep(partial: Path) -> None:
    """Tell of the file that was not finished, or remove it where nothing was written."""
    with suppress(FileNotFoundError):
        if partial.stat().st_size:
            tell(f"kept: {partial} holds what was written before")
        else:
            partial.unlink()
