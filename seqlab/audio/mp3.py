"""How many samples an MP3 file holds whose first frame does not tell (ISO/IEC 11172-3, 13818-3, layer III).

Encoders write the number of frames into the first one, which carries no sound then ("Xing", "Info", "VBRI").
Without it libsndfile takes all frames for as long as the first one: of a file with a variable bit rate it
would read a part only, and say nothing. So the frames are counted here, header by header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Count", "begins_frame", "count"]

HEADER = 4
"""Bytes of a frame's header."""

MPEG_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MPEG_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Kilobits a second of a frame by the index in its header; 0 is a rate of its own, which is not counted."""

RATES = (44_100, 48_000, 32_000)
"""Samples a second in MPEG 1; half of them in MPEG 2, a quarter in MPEG 2.5."""

TOLD = (b"Xing", b"Info", b"VBRI")
"""Marks of a first frame that tells how many follow."""

TAGS = (b"TAG", b"APE", b"LYR", b"ID3")
"""How what may follow the last frame begins."""


@dataclass(frozen=True, slots=True)
class Count:
    """The samples in all frames that are whole, those in one frame, and the bytes that the last one lacks."""

    samples: int
    frame: int
    missing: int


def count(stream: BinaryIO, size: int) -> Count | None:
    """Count the frames of a file of `size` bytes from its beginning.

    None where the first frame tells the length, or where they cannot be counted: in layers I and II, at free
    bit rates, and where something else stands between them.
    """
    position = _after_tag(stream)
    stream.seek(position)
    first = _frame(stream.read(HEADER))
    if first is None:
        return None
    rest = stream.read(first[0] - HEADER)
    if any(mark in rest for mark in TOLD):
        return None
    frames = 0
    following = b""
    frame: tuple[int, int] | None = first
    while frame and position + frame[0] <= size:
        frames, position = frames + 1, position + frame[0]
        stream.seek(position)
        following = stream.read(HEADER)
        frame = _frame(following)
    if not frame and following.strip(b"\0") and not following.startswith(TAGS):
        return None
    return Count(frames * first[1], first[1], position + frame[0] - size if frame else 0)


def begins_frame(data: bytes) -> bool:
    """Return whether bytes begin as a frame of layer III does."""
    return _frame(data[:HEADER]) is not None


def _after_tag(stream: BinaryIO) -> int:
    """Return where the frames begin: after an ID3v2 tag, whose size is written in bytes of 7 bits."""
    head = stream.read(10)
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    length = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return 10 + length + (10 if head[5] & 0x10 else 0)


def _frame(header: bytes) -> tuple[int, int] | None:
    """Return the bytes and the samples of a frame, None where this is no header of layer III."""
    if len(header) < HEADER or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bits in (0, 15) or rate == 3:
        return None
    newer = version != 3
    hertz = RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 576 if newer else 1152
    bits_per_second = 1000 * (MPEG_2 if newer else MPEG_1)[bits]
    return samples // 8 * bits_per_second // hertz + (header[2] >> 1 & 1), samples
