"""The parts of a file that are decoded one after another: most files have one, joined ones have several.

Ogg may be chained (RFC 3533), and MP3 and FLAC are joined by writing one behind the other; libsndfile would
read the first part of each and say nothing of the rest.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

__all__ = ["UNKNOWN", "WHOLE", "ForeignError", "Link", "LinkFile", "SoundError", "patched"]


class SoundError(Exception):
    """What is wrong with encoded sound, in words that go on from the name of its file."""


class ForeignError(SoundError):
    """Sound of a kind that is not read, and can be converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A part that a decoder reads as a file of its own: `prefix`, then `spans`, each from a byte to a byte.

    Without spans it is the file as it stands. `frames`: the samples per channel that must come out, where
    they are known. The decoder of one that is `noisy` may print complaints to standard error.
    """

    spans: tuple[tuple[int, int], ...] = ()
    prefix: bytes = b""
    frames: int | None = None
    noisy: bool = False


WHOLE = Link()
UNKNOWN = Link(noisy=True)
"""A file of a format that only the decoder may know."""

LARGEST_HEADER = 1 << 20
"""Bytes of a header that is held in memory."""


def patched(stream: BinaryIO, size: int, begin: int, patches: Mapping[int, bytes]) -> Link:
    """Return a file of `size` bytes as a link in whose header, `begin` bytes long, some bytes are others."""
    if begin > LARGEST_HEADER:
        raise SoundError(f"its header has {begin} bytes; at most {LARGEST_HEADER} are read")
    stream.seek(0)
    header = bytearray(stream.read(begin))
    for place, data in patches.items():
        header[place : place + len(data)] = data
    return Link(prefix=bytes(header), spans=((begin, size),))


class LinkFile(io.RawIOBase):
    """A link as a file of its own, for reading; what cannot be read ends it, and is told as missing."""

    def __init__(self, stream: BinaryIO, link: Link) -> None:
        self._stream = stream
        self._prefix = link.prefix
        self._starts, self._ends = _places(link)
        self._size = self._ends[-1]
        self._spans = ((0, len(link.prefix)), *link.spans)
        self._position = 0
        self._part = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that one can go anywhere in it."""
        return True

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, as files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        self._part = 0
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the part goes that is read."""
        view = memoryview(buffer).cast("B")
        while self._part < len(self._ends) and self._position >= self._ends[self._part]:
            self._part += 1
        if self._part == len(self._ends):
            return 0
        inside = self._position - self._starts[self._part]
        wanted = min(len(view), self._ends[self._part] - self._position)
        data = self._prefix[inside : inside + wanted] if not self._part else self._read(inside, wanted)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read(self, inside: int, wanted: int) -> bytes:
        try:
            # libsndfile calls this from C, where an exception would be printed and forgotten.
            self._stream.seek(self._spans[self._part][0] + inside)
            return self._stream.read(wanted)
        except (OSError, ValueError):
            return b""


def _places(link: Link) -> tuple[Sequence[int], Sequence[int]]:
    """Return where prefix and spans begin and end in the link."""
    ends = [len(link.prefix)]
    for begin, end in link.spans:
        ends.append(ends[-1] + end - begin)
    return [0, *ends[:-1]], ends
