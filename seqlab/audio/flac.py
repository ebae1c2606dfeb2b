"""FLAC streams (RFC 9639): where each that is joined in a file begins, and how many samples it really has.

The samples that a header states are held against the number of the last frame: libsndfile would read so many
and no more. An encoder that wrote into a pipe states none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from seqlab.audio.links import Link, SoundError
from seqlab.audio.tags import after_tags, ends

__all__ = ["flac_links"]

MARK = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""How a stream begins: its name, and the header of a block with 34 bytes of facts."""

FACTS = 42
"""Bytes of a stream up to the end of its facts."""

LARGEST_FRAME = 1 << 18
"""Bytes of a file's end in which its last frame is looked for where the header states no largest one."""

SYNC = re.compile(rb"\xff[\xf8\xf9]")
"""How a frame begins."""

LEAST_FRAME = 9
"""Bytes of the shortest frame: its header and checksums."""

READ = 1 << 16
"""Bytes searched at a time: few enough for a processor's cache."""

OVERLAP = 7
"""Bytes read on behind them, in which a mark may end that begins before."""

TOTAL = (1 << 36) - 1
"""Mask of the number of samples in the last 8 bytes before the checksum of the facts."""

BLOCK_SIZES = (
    {1: 192}
    | {code: 576 << code - 2 for code in range(2, 6)}
    | {code: 256 << code - 8 for code in range(8, 16)}
)
"""Samples in a frame by the code in its header; 6 and 7 are written out behind it."""


def flac_links(stream: BinaryIO, size: int) -> list[Link]:
    """Return the streams joined in a file of `size` bytes.

    SoundError where one is cut off, or longer than it states.
    """
    begin = after_tags(stream, 0, size)
    begins = [begin, *_begins(stream, _audio(stream, begin, size), size)]
    return [_link(stream, first, last) for first, last in zip(begins, [*begins[1:], size], strict=True)]


def _begins(stream: BinaryIO, position: int, size: int) -> Iterator[int]:
    """Yield where further streams begin; by chance no frame holds these 8 bytes."""
    while position < size:
        stream.seek(position)
        data = stream.read(READ + OVERLAP)
        yield from (position + match.start() for match in MARK.finditer(data))
        position += READ


def _audio(stream: BinaryIO, begin: int, size: int) -> int:
    """Return where the frames of a stream begin, behind its blocks of facts, tags and pictures."""
    position, last = begin + 4, False
    while not last:
        stream.seek(position)
        head = stream.read(4)
        if len(head) < 4:
            raise SoundError(f"truncated: its {size} bytes end before the samples begin")
        last = bool(head[0] & 0x80)
        position += 4 + int.from_bytes(head[1:], "big")
    return position


def _link(stream: BinaryIO, begin: int, end: int) -> Link:
    stream.seek(begin)
    facts = stream.read(FACTS)
    if len(facts) < FACTS:
        raise SoundError(f"truncated: its {end} bytes end before the samples begin")
    audio = _audio(stream, begin, end)
    packed = int.from_bytes(facts[18:26], "big")
    stated = packed & TOTAL
    found, ending = _samples(stream, audio, end, facts)
    if not found:
        raise SoundError("truncated or damaged: its last frame is not whole")
    if stated > found:
        raise SoundError(f"truncated: {found} of {stated} samples are there")
    if 0 < stated < found:
        raise SoundError(f"its header states too little: {stated} samples, but {found} are there")
    told = facts[:18] + (packed & ~TOTAL | found).to_bytes(8, "big") + facts[26:]
    return Link(prefix=told, spans=((begin + FACTS, ending),), frames=found)


def _samples(stream: BinaryIO, audio: int, end: int, facts: bytes) -> tuple[int, int]:
    """Return the samples up to the last frame, and its end; 0 where none that is whole ends the stream."""
    largest = int.from_bytes(facts[15:18], "big") or LARGEST_FRAME
    usual = int.from_bytes(facts[10:12], "big")
    for ending in ends(stream, end):
        first = max(audio, ending - largest)
        stream.seek(first)
        tail = stream.read(max(0, ending - first))
        for match in reversed(list(SYNC.finditer(tail))):
            if samples := _through(tail[match.start() :], usual):
                return samples, ending
    return 0, end


def _through(frame: bytes, usual: int) -> int:
    """Return the samples of a stream up to and with a frame, 0 where the bytes are none that is whole."""
    if len(frame) < LEAST_FRAME:
        return 0
    code = frame[2] >> 4
    number, position = _number(frame)
    block = BLOCK_SIZES.get(code, 0)
    if code in (6, 7):
        block = int.from_bytes(frame[position : position + code - 5], "big") + 1
        position += code - 5
    position += {12: 1, 13: 2, 14: 2}.get(frame[2] & 0xF, 0)
    if not block or position >= len(frame) or _header_remainder(frame[: position + 1]):
        return 0
    if _frame_remainder(frame):
        return 0
    return (number if frame[1] & 1 else number * usual) + block


def _number(frame: bytes) -> tuple[int, int]:
    """Return the number of a frame, or of its first sample, written as UTF-8 is, and the byte behind it."""
    more = max(0, 7 - (frame[4] ^ 0xFF).bit_length())
    number = frame[4] & (0x3F >> more if more else 0x7F)
    for byte in frame[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    return number, 5 + more


def _header_remainder(header: bytes) -> int:
    """Return what the check of a header leaves (CRC-8, polynomial 0x07), 0 where it is right."""
    left = 0
    for byte in header:
        left ^= byte
        for _ in range(8):
            left = left << 1 ^ (0x107 if left & 0x80 else 0)
    return left


def _frame_remainder(frame: bytes) -> int:
    """Return what the check of a frame leaves (CRC-16, polynomial 0x8005), 0 where it is right.

    The bits are a polynomial over two elements, and that of the check is (x + 1)(x^15 + x + 1). The first
    factor divides it where an even number of bits is 1. By the second, x^15 = x + 1, and so, squared again
    and again, x^(15 n) = x^n + 1 for each power n of two: a few shifts of one long number leave the rest.
    """
    rest = int.from_bytes(frame, "big")
    if rest.bit_count() % 2:
        return 1
    power = 1 << rest.bit_length().bit_length()
    while power:
        while high := rest >> 15 * power:
            rest ^= high << 15 * power ^ high << power ^ high
        power >>= 1
    return rest
