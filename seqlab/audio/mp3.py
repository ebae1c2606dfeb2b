"""The frames of MPEG audio (ISO/IEC 11172-3, 13818-3), and the recordings that are joined in one file.

libsndfile's decoder takes the length from the first frame, or guesses it; it stops where another recording is
joined, passes over damage, and complains on standard error, which is not ours. So frames are walked through
before it sees them, and it sees nothing else: no tags, no gaps, and a first frame that tells their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from seqlab.audio.links import Link, SoundError
from seqlab.audio.mp3_frames import (
    HEADER,
    Frame,
    Telling,
    parse,
    side_problem,
    telling_frame,
    told,
)
from seqlab.audio.tags import after_tags

__all__ = ["begins_frame", "mp3_links"]

GAP = 2_048
"""Bytes that may stand between the tags and the first frame: damaged tags are longer than they say."""

LONGEST_FREE = 6_000
"""Bytes of the longest frame of a free bit rate that is looked for."""


@dataclass(slots=True)
class _Recording:
    """The frames of one recording, collected; `telling` is the one before them that says how many follow."""

    first: Frame
    telling: Telling | None = None
    spans: list[list[int]] = field(default_factory=list)
    frames: int = 0

    def add(self, frame: Frame) -> None:
        self.frames += 1
        if self.telling and self.frames > self.telling.frames:
            self.telling = None  # another recording follows that does not tell its own number
        if self.spans and self.spans[-1][1] == frame.begin:
            self.spans[-1][1] = frame.end
        else:
            self.spans.append([frame.begin, frame.end])


def begins_frame(data: bytes) -> bool:
    """Return whether bytes begin as a frame of layer II or III does."""
    frame = parse(data[:HEADER], 0)
    return frame is not None and frame.layer > 1


def mp3_links(stream: BinaryIO, size: int, begin: int = 0) -> list[Link]:
    """Return the recordings joined from a byte to `size`; SoundError where a frame is missing or damaged."""
    recordings: list[_Recording] = []
    for frame, data in _frames(stream, size, begin):
        telling = told(frame, data)
        if telling or not recordings or frame.kind != recordings[-1].first.kind:
            recordings.append(_Recording(frame, telling))
        if not telling:
            recordings[-1].add(frame)
    links = [_link(recording) for recording in recordings]
    if not any(link.spans for link in links):
        raise SoundError("empty: no frame of it holds sound")
    return [link for link in links if link.spans]


def _link(recording: _Recording) -> Link:
    """Make the link of a recording, with a frame before it that tells the number of its frames."""
    first, telling, frames = recording.first, recording.telling, recording.frames
    spans = tuple((begin, end) for begin, end in recording.spans)
    if telling and frames < telling.least:
        there, whole = (f"{count * first.samples / first.rate:.2f}" for count in (frames, telling.frames))
        raise SoundError(f"truncated: {there} of {whole} s are there")
    if first.layer != 3:
        return Link(spans=spans, noisy=True)
    length = sum(end - begin for begin, end in spans)
    prefix = telling_frame(first, telling.data if telling else b"", frames, length)
    known = None if telling else frames * first.samples
    return Link(spans=spans, prefix=prefix, frames=known, noisy=True)


def _frames(stream: BinaryIO, size: int, begin: int) -> Iterator[tuple[Frame, bytes]]:
    """Yield the frames with their bytes, tags and padding passed over."""
    position, free, seen = after_tags(stream, begin, size), 0, False
    while position < size:
        stream.seek(position)
        data = stream.read(HEADER)
        frame = parse(data, position, free)
        if frame and not frame.length:
            free = _free_length(stream, frame, data)
            frame = parse(data, position, free) if free else None
        if not frame:
            position = _passed_over(stream, position, size, seen=seen)
            continue
        stream.seek(position)
        data = stream.read(frame.length)
        if frame.end > size:
            raise SoundError(f"truncated: its last frame lacks {frame.end - size} bytes")
        if problem := side_problem(frame, data):
            raise SoundError(f"damaged: the frame that begins at byte {position} has {problem}")
        seen = True
        yield frame, data
        position = frame.end


def _passed_over(stream: BinaryIO, position: int, size: int, *, seen: bool) -> int:
    """Return where it goes on behind tags, and before the first frame behind what a tag left."""
    following = after_tags(stream, position, size)
    if following > position:
        return following
    if not seen:
        stream.seek(position)
        data = stream.read(GAP)
        for place in range(len(data) - HEADER):
            if begins_frame(data[place:]) and _goes_on(stream, position + place):
                return position + place
    raise SoundError(f"damaged: no frame begins at byte {position} of {size}")


def _goes_on(stream: BinaryIO, position: int) -> bool:
    """Return whether the frame at a byte is followed by one of its kind."""
    stream.seek(position)
    frame = parse(stream.read(HEADER), position)
    if not frame or not frame.length:
        return False
    stream.seek(frame.end)
    following = parse(stream.read(HEADER), frame.end)
    return following is not None and following.kind == frame.kind


def _free_length(stream: BinaryIO, frame: Frame, header: bytes) -> int:
    """Return how long frames of a free bit rate are, without padding, 0 where none follows."""
    stream.seek(frame.begin)
    data = stream.read(LONGEST_FREE)
    padding = (header[2] >> 1 & 1) * (4 if frame.layer == 1 else 1)
    for place in range(HEADER, len(data) - HEADER):
        same = data[place : place + 2] == header[:2] and data[place + 2] & 0xFC == header[2] & 0xFC
        if same and data[place + 3] >> 6 == header[3] >> 6:
            return place - padding
    return 0
