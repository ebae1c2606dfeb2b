"""What a command writes to standard output: lines for people, and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from seqlab.errors import SeqlabError
from seqlab.printable import printable

__all__ = ["Line", "Output", "headed", "say"]


class Line(str):
    """A line that `headed` has made fit for a terminal already, styles included."""

    __slots__ = ()


def headed(heading: str, rest: str = "", **style: Any) -> Line:
    """Return a line that begins with a heading, bold where no other style is named."""
    return Line(click.style(printable(heading), **(style or {"bold": True})) + printable(rest))


def say(line: str) -> None:
    """Print a line for people, or JSON, to standard output, without control characters.

    Data goes to `sys.stdout.buffer`, as bytes: only a terminal is shown it otherwise than it is.
    """
    click.echo(line if isinstance(line, Line) else printable(line))


class Output:
    """A stream, or its buffer, under the name that messages have for it.

    What cannot be written, on a full disk say, is a SeqlabError; a broken pipe stays one. A terminal is shown
    bytes as printable text.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self.stream = stream
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @property
    def buffer(self) -> Output:
        """The stream of bytes below."""
        return Output(self.stream.buffer, self.name)

    def write(self, content: str | bytes) -> int:
        """Write to the stream."""
        if isinstance(content, bytes) and self.stream.isatty():
            content = printable(content.decode(errors="surrogateescape")).encode()
        return int(self.attempt(self.stream.write, content))

    def flush(self) -> None:
        """Flush the stream."""
        self.attempt(self.stream.flush)

    def attempt(self, action: Callable[..., Any], *args: Any) -> Any:
        """Do something to the stream or its file."""
        try:
            return action(*args)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SeqlabError(f"{self.name}: cannot be written: {error.strerror}") from error
