"""Containers of chunks, each a name, a size and so many bytes: whether the samples announced are all of them.

They are RIFF and its kin RIFX and RF64 (EBU Tech 3306), AIFF (EA IFF 85), Sony Wave64, and Apple's Core Audio
Format.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from seqlab.audio.links import WHOLE, Link, SoundError, patched
from seqlab.audio.mp3 import mp3_links
from seqlab.audio.tags import after_tags

__all__ = [
    "AIFF",
    "CAF",
    "RF64",
    "RIFF",
    "RIFX",
    "SVX",
    "W64",
    "ChunkLayout",
    "check_end",
    "check_samples",
    "chunk_links",
]

UNKNOWN_SIZES = ((0x7EFF_0000, 0x7F00_0010), (0x7FFF_0000, 0x8000_0000), (0xFFFF_0000, 0xFFFF_FFFF))
"""Sizes of 4 bytes, from and to, that mean `unknown`: who streams cannot go back to fill them in.

Found are 0xffffffff and what sox writes: 0x7ffff000 (WAV) and 0x7f000000 (AIFF), less a part of a frame.
"""

UNKNOWN_LONG_SIZES = (((1 << 63) - (1 << 16), 1 << 63), ((1 << 64) - (1 << 16), 1 << 64))
"""The same for a size of 8 bytes; found are -1 and the largest number."""

LONG = 0xFFFF_FFFF
"""Size of a chunk in RF64 whose true one stands in the chunk `ds64`."""


@dataclass(frozen=True, kw_only=True)
class ChunkLayout:
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
    unknown_sizes: tuple[tuple[int, int], ...] = UNKNOWN_SIZES

    def unknown(self, length: int) -> bool:
        """Return whether a length stands for one that nobody knew."""
        return any(first <= length + self.counted <= last for first, last in self.unknown_sizes)


RIFF = ChunkLayout()
RIFX = replace(RIFF, order="big")
RF64 = replace(RIFF, unknown_sizes=UNKNOWN_LONG_SIZES)
AIFF = ChunkLayout(order="big", samples=b"SSND", preface=8)
SVX = ChunkLayout(order="big", samples=b"BODY")
CAF = ChunkLayout(
    first=8, size=8, order="big", align=1, preface=4, packets=b"pakt", unknown_sizes=UNKNOWN_LONG_SIZES
)
W64 = ChunkLayout(first=40, name=16, size=8, counted=24, align=8, unknown_sizes=UNKNOWN_LONG_SIZES)


BEHIND = (
    b"LIST INFO id3 ID3  bext cue  smpl inst fact PEAK iXML JUNK PAD  FLLR cart axml _PMX afsp DISP minf elm1"
    b" NAME AUTH ANNO COMT MARK INST MIDI AESD APPL (c)  SAXL free info strg mark regn umid uuid ovvw midi"
)
"""Names, 5 bytes apart, of chunks that are known to stand behind the samples: they alone may be cut off."""


FILES = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"caff")
"""How containers themselves begin, which may stand behind another one and look like its chunk."""

MPEG = (0x50, 0x55)
"""Codings in WAV that are MPEG audio: layers I and II, and layer III."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk: its name, where what it holds begins, and how many bytes it says that this is."""

    name: bytes
    begin: int
    length: int


def chunk_links(stream: BinaryIO, size: int, layout: ChunkLayout) -> list[Link]:
    """Return the one link of a container; SoundError where samples are missing or not announced.

    `stream` is left anywhere. Of what stands behind the samples the end may be missing.
    """
    samples: _Chunk | None = None
    coding = 0
    position, long = layout.first, LONG
    while chunk := _chunk(stream, position, layout, long):
        if chunk.name == b"ds64":
            long = _long_size(stream, chunk)
        elif chunk.name == b"fmt ":
            stream.seek(chunk.begin)
            coding = int.from_bytes(stream.read(2), layout.order)
        elif chunk.name.startswith(layout.samples):
            if samples:
                raise SoundError("its samples stand in two chunks, of which the first alone would be read")
            samples = chunk
            if _unknown(stream, size, chunk, layout):
                if coding in MPEG:
                    return mp3_links(stream, size, chunk.begin)
                return [_of_unknown_size(stream, size, chunk, layout)]
            check_samples(size, chunk.begin + layout.preface, chunk.length - layout.preface)
        elif chunk.name == layout.packets:
            check_samples(size, chunk.begin, chunk.length, f"its chunk {chunk.name.decode()!r}")
        elif samples and (not _fits(chunk, size) or chunk.name.startswith(FILES)):
            break
        position = _behind(stream, size, chunk, layout)
    if not samples:
        raise SoundError(_headless(size))
    if not _begins_known(stream, after_tags(stream, position, size)):
        check_end(stream, size, position, samples.length)
    return mp3_links(stream, samples.begin + samples.length, samples.begin) if coding in MPEG else [WHOLE]


def check_samples(size: int, begin: int, length: int, what: str = "samples") -> None:
    """SoundError where a file of `size` bytes lacks some of the `length` from `begin` on."""
    if size < begin:
        raise SoundError(_headless(size))
    if size - begin < length:
        raise SoundError(f"truncated: {size - begin} of {length} bytes of {what} are there")


def check_end(stream: BinaryIO, size: int, end: int, length: int) -> None:
    """SoundError where more than tags and padding follows `length` bytes of samples that end at `end`.

    Zeros behind the samples are padding, at most `PADDING` of them in a row, as in every format.
    """
    if after_tags(stream, end, size) < size:
        more = f"{size - end} bytes more follow that are neither a chunk nor a tag"
        raise SoundError(f"its header states too little: {length} bytes of samples, but {more}")


def _headless(size: int) -> str:
    return f"truncated: its {size} bytes end before the samples begin"


def _chunk(stream: BinaryIO, position: int, layout: ChunkLayout, long: int) -> _Chunk | None:
    """Return the chunk that begins at a byte, None where none does."""
    if position > sys.maxsize:  # no file is so long, but a size of 8 bytes may say so
        return None
    stream.seek(position)
    head = stream.read(layout.name + layout.size)
    name = head[: layout.name]
    if len(head) < layout.name + layout.size or not name[:4].isascii() or not name[:4].decode().isprintable():
        return None
    length = max(0, int.from_bytes(head[layout.name :], layout.order) - layout.counted)
    if length == LONG and layout.size == 4:
        length = long
    return _Chunk(name, position + len(head), length)


def _long_size(stream: BinaryIO, chunk: _Chunk) -> int:
    """Return the size of the samples that stands in a chunk `ds64`."""
    stream.seek(chunk.begin)
    return int.from_bytes(stream.read(16)[8:], "little")


def _unknown(stream: BinaryIO, size: int, chunk: _Chunk, layout: ChunkLayout) -> bool:
    """Return whether a chunk of samples goes to the end of the file, as it was streamed."""
    if layout.unknown(chunk.length):
        return True
    if chunk.length > layout.preface:
        return False
    following = _chunk(stream, chunk.begin + chunk.length, layout, 0)
    return chunk.begin + layout.preface < size and not (following and _fits(following, size))


def _of_unknown_size(stream: BinaryIO, size: int, chunk: _Chunk, layout: ChunkLayout) -> Link:
    """Make the link of samples that go to the end of the file; decoders take a size of 0 at its word."""
    if layout.unknown(chunk.length):
        return WHOLE
    length = (size - chunk.begin + layout.counted).to_bytes(layout.size, layout.order)
    return patched(stream, size, chunk.begin, {chunk.begin - layout.size: length})


def _fits(chunk: _Chunk, size: int) -> bool:
    return chunk.begin + chunk.length <= size


def _behind(stream: BinaryIO, size: int, chunk: _Chunk, layout: ChunkLayout) -> int:
    """Return where the next chunk begins; some writers leave the padding out, others put it in."""
    end = chunk.begin + chunk.length
    aligned = -(-end // layout.align) * layout.align
    for place in (aligned, end, end + end % 2):
        if _chunk(stream, place, layout, 0):
            return place
    return min(aligned, max(end, size))


def _begins_known(stream: BinaryIO, position: int) -> bool:
    """Return whether a chunk that is known to stand behind samples begins at a byte, be it cut off."""
    stream.seek(position)
    name = stream.read(4)
    return any(BEHIND.startswith(name, place) for place in range(0, len(BEHIND), 5))
