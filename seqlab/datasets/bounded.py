"""A stream that is read no further, and in no larger pieces, than is allowed."""

from __future__ import annotations

import io
from typing import IO

from seqlab.errors import DataError

__all__ = ["BoundedStream"]


class BoundedStream(io.RawIOBase):
    """Reads another stream up to `most` bytes; DataError beyond them, or for a piece of more than `piece`.

    `name` is what the messages are about. What decompresses makes any number of bytes out of a few, and what
    reads archives reads their headers whole, however long they say they are.
    """

    def __init__(self, stream: IO[bytes], name: str, *, most: int, piece: int) -> None:
        super().__init__()
        self.stream = stream
        self.name = name
        self.most = most
        self.piece = piece

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved in."""
        return True

    def tell(self) -> int:
        """Return the position in bytes from the start."""
        return self.stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; DataError for a place beyond what may be read."""
        if whence == io.SEEK_SET:
            self._within(offset)
        return self.stream.seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, by default all that are left."""
        wanted = self.piece + 1 if size is None or size < 0 else size
        if wanted > self.piece and size is not None and size >= 0:
            raise DataError(f"{self.name}: a part of {size:,} bytes is not read, at most {self.piece:,}")
        data = self.stream.read(wanted)
        if len(data) > self.piece:
            raise DataError(f"{self.name}: a part of more than {self.piece:,} bytes is not read")
        self._within(self.stream.tell())
        return data

    def _within(self, position: int) -> None:
        if not 0 <= position <= self.most:
            raise DataError(f"{self.name}: holds more than {self.most:,} bytes once unpacked")
