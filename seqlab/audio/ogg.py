"""The pages of an Ogg file (RFC 3533, section 6): whether the last one is there, and the checksums of all.

Decoders pass over a page whose checksum is wrong: what is heard is shorter than what was said.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

__all__ = ["damaged_page", "page_shortage"]

PAGE_HEADER = 27
"""Bytes of a page before its table of segments."""

LARGEST_PAGE = PAGE_HEADER + 255 + 255 * 255
"""Bytes of the largest page."""

LAST_PAGE = 4
"""Flag of the page that ends a stream."""

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""


def page_shortage(stream: BinaryIO, size: int) -> str:
    """Say what is missing from the last page of a file of `size` bytes, an empty string where it is whole.

    It must be flagged as the last one, too.
    """
    stream.seek(max(0, size - LARGEST_PAGE))
    tail = stream.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    table = page[PAGE_HEADER : PAGE_HEADER + page[PAGE_HEADER - 1]] if len(page) >= PAGE_HEADER else b""
    if not table or len(page) < PAGE_HEADER + len(table) + sum(table):
        return "truncated: its last page is cut off"
    return "" if page[5] & LAST_PAGE else "truncated: the page that ends the stream is missing"


def damaged_page(stream: BinaryIO) -> int | None:
    """Return the first byte of the first page without its checksum, None where all have theirs.

    The stream is read to its end from where it stands; what follows the page that ends the last stream, such
    as a tag, is no page.
    """
    begin, ended = 0, False
    while head := stream.read(PAGE_HEADER):
        if not head.startswith(b"OggS"):
            return None if ended else begin
        table = stream.read(head[-1]) if len(head) == PAGE_HEADER else b""
        page = head + table + stream.read(sum(table))
        if checksum(page[:22] + bytes(4) + page[26:]) != int.from_bytes(page[22:26], "little"):
            return begin
        begin, ended = begin + len(page), bool(head[5] & LAST_PAGE)
    return None


def checksum(page: bytes) -> int:
    """Return the CRC-32 of the polynomial 0x04c11db7, highest bit first, from 0 and without a final mask.

    zlib has that of the same polynomial, lowest bit first, with masks at both ends.
    """
    mask = 0xFFFF_FFFF
    lowest_first = zlib.crc32(page.translate(MIRRORED), mask) ^ mask
    return int.from_bytes(lowest_first.to_bytes(4, "little").translate(MIRRORED), "big")
