"""The pages of an Ogg file and their checksums (RFC 3533, section 6).

Decoders pass over a page whose checksum is wrong: what is heard is shorter than what was said.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

__all__ = ["LAST_PAGE", "PAGE_HEADER", "damaged_page"]

PAGE_HEADER = 27
"""Bytes of a page before its table of segments."""

LAST_PAGE = 4
"""Flag of the page that ends a stream."""

MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""


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
