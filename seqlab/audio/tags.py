"""Tags and padding: what stands before, between and behind the sound in a file, and is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["PADDING", "after_tags", "ends", "id3_length"]

PADDING = 4_096
"""Bytes of zeros that pass for padding, a sector say; more could be sound that was lost."""

ID3_V1 = 128
"""Bytes of a tag `TAG`, the last of a file."""

LYRICS = 9_000
"""Bytes within which lyrics (Lyrics3) end."""


def id3_length(head: bytes) -> int:
    """Return the bytes of an ID3v2 tag that begins so (10 bytes), 0 where it is none.

    Its size is written in bytes of 7 bits.
    """
    if len(head) < 10 or not head.startswith((b"ID3\2", b"ID3\3", b"ID3\4")) or max(head[6:10]) > 0x7F:
        return 0
    length = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + length + (10 if head[5] & 0x10 else 0)


def after_tags(stream: BinaryIO, position: int, size: int) -> int:
    """Return where the tags and the padding end that begin at `position` of a file of `size` bytes."""
    while position < size:
        step = _tag(stream, position, size)
        if not step:
            break
        position = min(size, position + step)
    return position


def ends(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield where the sound of a file may end, tags (ID3, APE) and padding behind it taken away."""
    yield size
    position = size
    while step := _tag_before(stream, position):
        position -= step
        yield position
    tail = _read(stream, max(0, position - PADDING), min(PADDING, position))
    filled = position - len(tail) + len(tail.rstrip(b"\0"))
    # What stands before the padding may itself end in zeros: the checksum of a frame, say.
    yield from (place for place in range(filled, min(position, filled + 3)))


def _tag(stream: BinaryIO, position: int, size: int) -> int:
    """Return the bytes of the tag or padding that begins at `position`, 0 where there is neither."""
    head = _read(stream, position, 32)
    if length := id3_length(head):
        return length
    if head.startswith(b"TAG"):
        return 227 if head.startswith(b"TAG+") else ID3_V1
    if head.startswith(b"APETAGEX"):
        header = int.from_bytes(head[20:24], "little") & 0x2000_0000
        return int.from_bytes(head[12:16], "little") + 32 if header else 32
    if head.startswith(b"LYRICSBEGIN"):
        found = _read(stream, position, LYRICS).find(b"LYRICS200")
        return found + 9 if found > 0 else 0
    if head.startswith(b"\0"):
        zeros = _read(stream, position, PADDING + 1)
        length = len(zeros) - len(zeros.lstrip(b"\0"))
        return length if length <= PADDING else 0
    return 0


def _tag_before(stream: BinaryIO, position: int) -> int:
    """Return the bytes of the tag that ends at `position`, 0 where none does."""
    if position >= ID3_V1 and _read(stream, position - ID3_V1, 3) == b"TAG":
        return ID3_V1
    footer = _read(stream, position - 32, 32) if position >= 32 else b""
    if not footer.startswith(b"APETAGEX"):
        return 0
    header = 32 if int.from_bytes(footer[20:24], "little") & 0x8000_0000 else 0
    return min(position, int.from_bytes(footer[12:16], "little") + header)


def _read(stream: BinaryIO, position: int, length: int) -> bytes:
    stream.seek(position)
    return stream.read(length)
