"""Formats of old samplers and of mathematics: whether all is there that their headers announce.

IRCAM, PAF, PVF and XI announce nothing; all that a file of theirs holds is read, and a cut cannot be seen.
"""

from __future__ import annotations

from typing import BinaryIO, Literal

from seqlab.audio.chunks import check_end, check_samples
from seqlab.audio.links import WHOLE, Link, SoundError

__all__ = ["avr_links", "mat4_links", "mat5_links", "mpc_links", "sds_links", "voc_links", "wve_links"]

MAT4_WIDTHS = (8, 4, 4, 2, 2, 1)
"""Bytes of a number in MATLAB 4 by its type: double, single, and integers."""

SDS_HEADER, SDS_PACKET, SDS_DATA = 21, 127, 120
"""Bytes of a MIDI sample dump: its header, a packet, and what of a packet holds samples."""


def avr_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check Audio Visual Research: two channels or one, samples of 8 or 16 bits."""
    head = _head(stream, 128)
    channels = 2 if any(head[12:14]) else 1
    return _counted(stream, size, 128, int.from_bytes(head[26:30], "big") * channels * (head[15] // 8))


def wve_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check Psion's A-law, a byte for a sample."""
    return _counted(stream, size, 32, int.from_bytes(_head(stream, 32)[18:22], "big"))


def mpc_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check Akai's MPC 2000: samples of 16 bits."""
    head = _head(stream, 42)
    return _counted(stream, size, 42, int.from_bytes(head[30:34], "little") * (2 if head[21] else 1) * 2)


def sds_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check a MIDI sample dump, in packets of equal length."""
    head = _head(stream, SDS_HEADER)
    samples = head[10] | head[11] << 7 | head[12] << 14
    in_packet = SDS_DATA // (2 if head[6] < 15 else 3 if head[6] < 22 else 4)
    return _counted(stream, size, SDS_HEADER, -(-samples // in_packet) * SDS_PACKET)


def voc_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check Creative's blocks, which a byte of 0 ends; libsndfile reads a single one with samples."""
    position = int.from_bytes(_head(stream, 22)[20:22], "little")
    with_samples = 0
    while (kind := _at(stream, position, 4)) and kind[0]:
        if len(kind) < 4:
            raise SoundError("truncated: its last block is cut off")
        length = int.from_bytes(kind[1:], "little")
        check_samples(size, position + 4, length)
        with_samples += kind[0] in (1, 2, 9)
        position += 4 + length
    if with_samples > 1:
        raise SoundError("its samples stand in several blocks, of which the first alone would be read")
    check_end(stream, size, min(size, position + 1), position)
    return [WHOLE]


def mat4_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check MATLAB 4: a matrix with the sample rate and one with the samples."""
    position = 0
    for _ in range(2):
        head = _at(stream, position, 20)
        order: Literal["little", "big"] = "big" if head[:2] == b"\0\0" and any(head[2:4]) else "little"
        kind, rows, columns, _, name = (
            int.from_bytes(head[first : first + 4], order) for first in range(0, 20, 4)
        )
        width = MAT4_WIDTHS[min(kind // 10 % 10, len(MAT4_WIDTHS) - 1)]
        begin, length = position + 20 + name, rows * columns * width
        check_samples(size, begin, length)
        position = begin + length
    check_end(stream, size, position, position)
    return [WHOLE]


def mat5_links(stream: BinaryIO, size: int) -> list[Link]:
    """Check MATLAB 5: an array with the sample rate and one with the samples, its fourth element."""
    order: Literal["little", "big"] = "little" if _head(stream, 128)[126:128] == b"IM" else "big"
    position = 136 + int.from_bytes(_at(stream, 132, 4), order) + 8
    for element in range(4):
        kind, length = (int.from_bytes(_at(stream, position + first, 4), order) for first in (0, 4))
        small = kind >> 16  # up to 4 bytes stand in the place of their number
        if element == 3 and not small:
            check_samples(size, position + 8, length)
            # Files are known that are 8 bytes shorter than they say.
            check_end(stream, size, min(size, position + 8 + -(-length // 8) * 8), length)
        position += 8 + (0 if small else -(-length // 8) * 8)
    return [WHOLE]


def _counted(stream: BinaryIO, size: int, begin: int, length: int) -> list[Link]:
    check_samples(size, begin, length)
    check_end(stream, size, begin + length, length)
    return [WHOLE]


def _head(stream: BinaryIO, length: int) -> bytes:
    """Return a file's first bytes; SoundError where it has fewer."""
    head = _at(stream, 0, length)
    if len(head) < length:
        raise SoundError(f"truncated: its {len(head)} bytes end before the samples begin")
    return head


def _at(stream: BinaryIO, position: int, length: int) -> bytes:
    stream.seek(position)
    return stream.read(length)
