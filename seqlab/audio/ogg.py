"""The pages of an Ogg file (RFC 3533, section 6): which stream each belongs to, and whether all are there.

Decoders pass over a page whose checksum is wrong, and over all that is chained to the first stream: what is
read is shorter than what was recorded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from seqlab.audio.links import ForeignError, Link, SoundError
from seqlab.audio.tags import after_tags

__all__ = ["ogg_links"]

PAGE_HEADER = 27
"""Bytes of a page before its table of segments."""

FIRST_PAGE, LAST_PAGE = 2, 4
"""Flags of the pages that begin and end a stream."""

CODECS = {
    b"\x01vorbis": "",
    b"OpusHead": "",
    b"\x7fFLAC": "",
    b"Speex   ": "Speex",
    b"\x80theora": "Theora (video)",
    b"fishead\0": "Ogg Skeleton",
    b"PCM     ": "PCM in Ogg",
    b"CELT    ": "CELT",
}
"""How the first packet of a stream begins, and the name of what is not read."""

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page whose checksum is right; `granule` counts what has ended with it, 0 for headers."""

    begin: int
    end: int
    flags: int
    granule: int
    stream: int
    number: int
    content: bytes


def ogg_links(stream: BinaryIO, size: int) -> list[Link]:
    """Return the chained parts of a file of `size` bytes; SoundError where one of its pages is missing."""
    links: list[Link] = []
    begin = 0
    open_streams: dict[int, _Page] = {}
    opening = False
    for page in _pages(stream, size):
        if page.flags & FIRST_PAGE:
            if open_streams and not opening:
                raise SoundError(
                    f"truncated: the page that ends the stream is missing before byte {page.begin}"
                )
            if opening:
                raise ForeignError("holds several streams that sound at once, which is not read")
            _check_codec(page.content)
            begin, opening = page.begin, True
        else:
            opening = False
            _check_order(page, open_streams.get(page.stream))
        open_streams[page.stream] = page
        if page.flags & LAST_PAGE:
            del open_streams[page.stream]
            opening = False
            links.append(Link(spans=((begin, page.end),)))
    if open_streams:
        raise SoundError("truncated: the page that ends the stream is missing")
    return links


def _check_codec(content: bytes) -> None:
    """SoundError where a stream begins so that no decoder reads it."""
    for magic, name in CODECS.items():
        if name and content.startswith(magic):
            raise ForeignError(f"this is {name}, which is not read")


def _check_order(page: _Page, last: _Page | None) -> None:
    """SoundError where pages are missing between two of a stream, or before the first."""
    if last is None:
        raise SoundError(f"damaged: the page at byte {page.begin} belongs to no stream that has begun")
    # Who listens to a broadcast gets the headers, and then the page that is sent just then.
    joined_late = last.granule == 0 and page.granule != 0
    if page.number != (last.number + 1) & 0xFFFF_FFFF and not (joined_late and page.number > last.number):
        raise SoundError(f"damaged: pages are missing before byte {page.begin}")


def _pages(stream: BinaryIO, size: int) -> Iterator[_Page]:
    """Yield the pages; SoundError where one is damaged or cut off, or something else stands for it."""
    position, ended = 0, False
    while position < size:
        stream.seek(position)
        head = stream.read(PAGE_HEADER)
        if not head.startswith(b"OggS"):
            following = after_tags(stream, position, size) if ended or not position else position
            if following == position:
                raise SoundError(_gap(head, position, size, ended=ended))
            position = following
            continue
        table = stream.read(head[-1]) if len(head) == PAGE_HEADER else b""
        content = stream.read(sum(table))
        end = position + PAGE_HEADER + len(table) + sum(table)
        if len(head) < PAGE_HEADER or len(table) < head[-1] or end > size:
            raise SoundError("truncated: its last page is cut off")
        if checksum(head[:22] + bytes(4) + head[26:] + table + content) != int.from_bytes(
            head[22:26], "little"
        ):
            raise SoundError(
                f"damaged: the page that begins at byte {position} is not what its checksum says"
            )
        ended = bool(head[5] & LAST_PAGE)
        serial, number = (int.from_bytes(head[first : first + 4], "little") for first in (14, 18))
        granule = int.from_bytes(head[6:14], "little")
        yield _Page(position, end, head[5], granule, serial, number, content)
        position = end


def _gap(head: bytes, position: int, size: int, *, ended: bool) -> str:
    """Say what is wrong where no page begins."""
    if b"OggS".startswith(head):
        return "truncated: its last page is cut off"
    if ended:
        return f"{size - position} bytes behind the page that ends the stream are neither a page nor a tag"
    return f"damaged: the page that begins at byte {position} is not what its checksum says"


def checksum(page: bytes) -> int:
    """Return the CRC-32 of the polynomial 0x04c11db7, highest bit first, from 0 and without a final mask.

    zlib has that of the same polynomial, lowest bit first, with masks at both ends.
    """
    mask = 0xFFFF_FFFF
    lowest_first = zlib.crc32(page.translate(MIRRORED), mask) ^ mask
    return int.from_bytes(lowest_first.to_bytes(4, "little").translate(MIRRORED), "big")
