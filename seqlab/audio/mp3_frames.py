"""One frame of MPEG audio: what its header and its side information say."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEADER", "MPEG_1", "VBRI", "Frame", "Telling", "parse", "telling_frame", "told"]

HEADER = 4
"""Bytes of a frame's header."""

RATES = (44_100, 48_000, 32_000)
"""Samples a second in MPEG 1; half of them in MPEG 2, a quarter in MPEG 2.5."""

KILOBITS = {
    (1, True): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (2, True): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, True): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (1, False): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, False): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (3, False): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second by layer, whether it is MPEG 1, and the index in the header; 0 is a rate of its own."""

MPEG_1 = 3
"""The version in the header; 2 is MPEG 2, 0 is MPEG 2.5."""

SHIFTS = {MPEG_1: 0, 2: 1, 0: 2}
"""By how many bits the rates of a version are shifted."""

SAMPLES = {
    (layer, version): 384 if layer == 1 else 576 if layer == 3 and version != MPEG_1 else 1152
    for layer in (1, 2, 3)
    for version in (0, 2, MPEG_1)
}
"""Samples of a channel in a frame, by layer and version."""

FRAMES, BYTES = 1, 2
"""Flags of a frame that tells (Xing, Info): it holds the number of frames, and of bytes."""

VBRI = 36
"""Where the mark of Fraunhofer's encoder stands in such a frame."""

DECODER_DELAY = 529
"""Samples that a decoder is late by, in layer III."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the header of a frame says: its bytes, and the rate of its samples in Hz among others."""

    length: int
    layer: int
    version: int
    rate: int
    mono: bool
    protected: bool

    @property
    def samples(self) -> int:
        """Samples of a channel in it."""
        return SAMPLES[self.layer, self.version]

    @property
    def kind(self) -> tuple[int, int, int, bool]:
        """What all frames of a recording have in common."""
        return self.layer, self.version, self.rate, self.mono

    @property
    def shape(self) -> tuple[int, int, bool, bool]:
        """What decides where in it things stand."""
        return self.layer, self.version, self.mono, self.protected

    @property
    def side_length(self) -> int:
        """Bytes of the side information of layer III."""
        return (17 if self.mono else 32) if self.version == MPEG_1 else (9 if self.mono else 17)

    @property
    def mark(self) -> int:
        """Where the side information ends, and the mark stands of a frame that tells how many follow."""
        return HEADER + 2 * self.protected + self.side_length


def parse(header: bytes, free: int = 0) -> Frame | None:
    """Return the frame that a header of 4 bytes begins, None where it is none.

    Its length is 0 where its bit rate is a free one, of which only `free` says how long frames are.
    """
    if len(header) < HEADER or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer, bits, rate = (
        header[1] >> 3 & 3,
        4 - (header[1] >> 1 & 3),
        header[2] >> 4,
        header[2] >> 2 & 3,
    )
    if version == 1 or layer == 4 or bits == 15 or rate == 3:
        return None
    hertz = RATES[rate] >> SHIFTS[version]
    padding = (header[2] >> 1 & 1) * (4 if layer == 1 else 1)
    if bits:
        bits_per_second = 1000 * KILOBITS[layer, version == MPEG_1][bits]
        slots = SAMPLES[layer, version] // 8 * bits_per_second // hertz
        length = (slots // 4 * 4 if layer == 1 else slots) + padding
    else:
        length = free + padding if free else 0
    return Frame(length, layer, version, hertz, header[3] >> 6 == 3, not header[1] & 1)


# --- the frame that tells how many follow ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Telling:
    """A first frame without sound that tells how many `frames` follow; `least` as many do.

    `data` holds its bytes where decoders know them to tell more: how much silence the encoder added.
    """

    frames: int
    least: int
    data: bytes = b""


def told(frame: Frame, data: bytes) -> Telling | None:
    """Return what a frame tells of those that follow, None where it is one with sound."""
    if frame.layer != 3:
        return None
    if data[VBRI : VBRI + 4] == b"VBRI":
        count = int.from_bytes(data[VBRI + 14 : VBRI + 18], "big")
        return Telling(count, count)
    at = frame.mark
    if data[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    count = int.from_bytes(data[at + 8 : at + 12], "big") if flags & FRAMES else 0
    # Encoders that write no more than this may count this very frame, too.
    bare = not any(data[at + 120 :])
    return Telling(count, count - bare, data)


def telling_frame(first: Frame, data: bytes, frames: int, length: int) -> bytes:
    """Return a frame that tells how many frames follow: `data` corrected, or a new one with a silent one.

    Without it the decoder guesses; with other numbers than the true ones it complains.
    """
    at = first.mark
    if data and int.from_bytes(data[at + 4 : at + 8], "big") & FRAMES:
        flags = int.from_bytes(data[at + 4 : at + 8], "big")
        facts = frames.to_bytes(4, "big")
        facts += (len(data) + length).to_bytes(4, "big") if flags & BYTES else b""
        return data[: at + 8] + facts + data[at + 8 + len(facts) :]
    # The decoder cuts off what its own delay and the encoder's add: here no more than a frame of silence.
    delay = (first.samples - DECODER_DELAY) << 12
    facts = b"Xing" + FRAMES.to_bytes(4, "big") + (frames + 1).to_bytes(4, "big")
    facts += b"LAME3.100" + bytes(12) + delay.to_bytes(3, "big") + bytes(12)
    bare = HEADER + first.side_length
    header = _roomy_header(first, bare + len(facts))
    telling = (header.ljust(bare, b"\0") + facts).ljust(_length(header), b"\0")
    return telling + header.ljust(_length(header), b"\0")


def _roomy_header(frame: Frame, length: int) -> bytes:
    """Return the header of a frame of the same kind that has at least so many bytes, without a checksum."""
    rate = next(index for index, rate in enumerate(RATES) if rate >> SHIFTS[frame.version] == frame.rate)
    start = bytes((0xFF, 0xE0 | frame.version << 3 | 4 - frame.layer << 1 | 1))
    headers = (start + bytes((bits << 4 | rate << 2, 0xC0 * frame.mono)) for bits in range(1, 15))
    return next(header for header in headers if _length(header) >= length)


def _length(header: bytes) -> int:
    frame = parse(header)
    return frame.length if frame else 0
