"""Containers of chunks, each a name, a size and so many bytes: whether the samples announced are all there.

They are RIFF and its kin RIFX and RF64 (EBU Tech 3306), AIFF (EA IFF 85), Sony Wave64, and Apple's Core Audio
Format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

__all__ = ["AIFF", "CAF", "RF64", "RIFF", "RIFX", "W64", "Layout", "chunk_shortage", "headless", "lack"]

UNKNOWN_SIZE = 0x7EFF_0000
"""From here on a size of 4 bytes means `unknown`: who streams cannot go back to fill it in.

Found are 0xffffffff and what sox writes: 0x7ffff000 (WAV) and 0x7f000000 (AIFF), less a part of a frame.
"""

UNKNOWN_LONG_SIZE = 1 << 62
"""The same for a size of 8 bytes; found are -1 and the largest number."""

LONG = 0xFFFF_FFFF
"""Size of a chunk in RF64 whose true one stands in the chunk `ds64`."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the chunks of a container lie; numbers are bytes, and what is given is RIFF's."""

    first: int = 12
    """What stands before the first chunk."""
    name: int = 4
    size: int = 4
    order: Literal["little", "big"] = "little"
    """Which byte of a size comes first."""
    counted: int = 0
    """How much of its chunk's name and of itself a size counts."""
    align: int = 2
    """Chunks begin at multiples of this."""
    samples: bytes = b"data"
    """How the name of the chunk begins that holds the samples."""
    preface: int = 0
    """What stands in that chunk before the samples."""
    packets: bytes = b""
    """Name of a chunk that says where packets of samples end; it is there for some codings only."""
    unknown: int = UNKNOWN_SIZE


RIFF = Layout()
RIFX = replace(RIFF, order="big")
RF64 = replace(RIFF, unknown=UNKNOWN_LONG_SIZE)
AIFF = Layout(order="big", samples=b"SSND", preface=8)
CAF = Layout(first=8, size=8, order="big", align=1, preface=4, packets=b"pakt", unknown=UNKNOWN_LONG_SIZE)
W64 = Layout(first=40, name=16, size=8, counted=24, align=8, unknown=UNKNOWN_LONG_SIZE)


def chunk_shortage(stream: BinaryIO, size: int, layout: Layout) -> str:
    """Say what is missing from a container of `size` bytes, an empty string where its samples are all there.

    `stream` is left anywhere. What stands behind the samples may be missing.
    """
    seen = False
    for name, begin, length in _chunks(stream, size, layout):
        reason = ""
        if name.startswith(layout.samples):
            seen = True
            announced = length - layout.preface if length < layout.unknown else 0
            reason = lack(size, begin + layout.preface, announced)
        elif name == layout.packets:
            reason = lack(size, begin, length, f"its chunk {name.decode()!r}")
        if reason or (seen and not layout.packets):
            return reason
    return "" if seen else headless(size)


def lack(size: int, begin: int, length: int, what: str = "samples") -> str:
    """Say what a file of `size` bytes lacks of the `length` from `begin` on, an empty string for nothing."""
    if size < begin:
        return headless(size)
    there = size - begin
    return f"truncated: {there} of {length} bytes of {what} are there" if there < length else ""


def headless(size: int) -> str:
    """Say that a file of `size` bytes holds no samples at all."""
    return f"truncated: its {size} bytes end before the samples begin"


def _chunks(stream: BinaryIO, size: int, layout: Layout) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and length of each chunk that begins in the file."""
    position, head = layout.first, layout.name + layout.size
    long = layout.unknown
    while position + head <= size:
        stream.seek(position)
        chunk = stream.read(head)
        name, begin = chunk[: layout.name], position + head
        if not any(name):  # a file that was filled with zeros would be walked through 8 bytes at a time
            return
        length = max(0, int.from_bytes(chunk[layout.name :], layout.order) - layout.counted)
        if name == b"ds64":
            long = int.from_bytes(stream.read(16)[8:], "little")
        elif length == LONG and layout.size == 4:
            length = long
        yield name, begin, length
        position = -(-(begin + length) // layout.align) * layout.align
