"""A stream that a command writes to, whose own errors are told from those of other files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqlab.errors import SeqlabError

__all__ = ["Output"]


class Output:
    """A stream, or its buffer, under the name that messages have for it.

    What cannot be written, on a full disk say, is a SeqlabError; a broken pipe stays one.
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
