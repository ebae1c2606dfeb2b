"""The frames of MPEG audio (ISO/IEC 11172-3, 13818-3), and the recordings that are joined in one file.

libsndfile's decoder takes the length from the first frame, or guesses it; it stops where another recording is
joined, passes over damage, and complains on standard error, which is not ours. So frames are walked through
before it sees them, and it sees nothing else: no tags, no gaps, and a first frame that tells their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from seqlab.audio.links import Link, SoundError
from seqlab.audio.mp3_frames import HEADER, Frame, Telling, parse, telling_frame
from seqlab.audio.tags import after_tags

if TYPE_CHECKING:
    from seqlab.audio.mp3_blocks import Block, Run

__all__ = ["begins_frame", "mp3_links"]

GAP = 2_048
"""Bytes that may stand between the tags and the first frame: damaged tags are longer than they say."""

LONGEST_FREE = 6_000
"""Bytes of the longest frame of a free bit rate that is looked for; no other is as long."""

LAYER_1 = 3
"""The layer in the header."""

READ = 1 << 20
"""Bytes read at a time; whole frames are looked for up to the last `LONGEST_FREE` and a few of them."""


@dataclass(slots=True)
class _Recording:
    """The frames of one recording, collected; `telling` is the one before them that says how many follow."""

    first: Frame
    telling: Telling | None = None
    spans: list[list[int]] = field(default_factory=list)
    frames: int = 0

    def add(self, run: Run) -> None:
        self.frames += run.frames
        if self.telling and self.frames > self.telling.frames:
            self.telling = None  # another recording follows that does not tell its own number
        if self.spans and self.spans[-1][1] == run.begin:
            self.spans[-1][1] = run.end
        else:
            self.spans.append([run.begin, run.end])


def begins_frame(data: bytes) -> bool:
    """Return whether bytes begin as a frame of layer II or III does."""
    frame = parse(data[:HEADER])
    return frame is not None and frame.layer > 1


def mp3_links(stream: BinaryIO, size: int, begin: int = 0) -> list[Link]:
    """Return the recordings joined from a byte to `size`; SoundError where a frame is missing or damaged."""
    recordings: list[_Recording] = []
    for run in _runs(stream, size, begin):
        if run.telling or not recordings or run.first.kind != recordings[-1].first.kind:
            recordings.append(_Recording(run.first, run.telling))
        if not run.telling:
            recordings[-1].add(run)
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


def _runs(stream: BinaryIO, size: int, begin: int) -> Iterator[Run]:
    """Yield the frames in runs, tags and padding passed over; SoundError for the first fault in the file."""
    from seqlab.audio.mp3_blocks import Block  # numpy, which the names of formats do not need

    walk = _Walk(stream, size)
    position = after_tags(stream, begin, size)
    while position < size:
        stream.seek(position)
        block = Block(position, stream.read(min(READ, size - position)))
        try:
            position = walk.through(block)
        except SoundError:
            deque(block.runs(), 0)  # a damaged frame that comes before is told first
            raise
        yield from block.runs()


@dataclass(slots=True)
class _Walk:
    """From frame to frame; `free` is the length of those of a free bit rate, once one was `seen`."""

    stream: BinaryIO
    size: int
    free: int = 0
    seen: bool = False

    def through(self, block: Block) -> int:
        """Collect the frames of a block, and return where it goes on behind them."""
        position = block.begin
        last = block.end == self.size or len(block.data) < READ
        while position < self.size and (last or block.end - position > LONGEST_FREE + HEADER):
            following = block.follow(position, self.free)
            if following > position:
                self.seen, position = True, following
            else:
                position = self._other(position, block.end)
        return position

    def _other(self, position: int, end: int) -> int:
        """Return where frames go on from a byte at which no whole one begins that could be told."""
        self.stream.seek(position)
        header = self.stream.read(HEADER)
        frame = parse(header, self.free)
        if frame and not frame.length:
            self.free = _free_length(self.stream, position, header)
            frame = parse(header, self.free) if self.free else None
        if not frame:
            return self._passed_over(position)
        if position + frame.length > end:
            raise SoundError(f"truncated: its last frame lacks {position + frame.length - end} bytes")
        return position

    def _passed_over(self, position: int) -> int:
        """Return where it goes on behind tags, and before the first frame behind what a tag left."""
        following = after_tags(self.stream, position, self.size)
        if following > position:
            return following
        if not self.seen:
            self.stream.seek(position)
            data = self.stream.read(GAP)
            for place in range(len(data) - HEADER):
                if begins_frame(data[place:]) and _goes_on(self.stream, position + place):
                    return position + place
        raise SoundError(f"damaged: no frame begins at byte {position} of {self.size}")


def _goes_on(stream: BinaryIO, position: int) -> bool:
    """Return whether the frame at a byte is followed by one of its kind."""
    stream.seek(position)
    frame = parse(stream.read(HEADER))
    if not frame or not frame.length:
        return False
    stream.seek(position + frame.length)
    following = parse(stream.read(HEADER))
    return following is not None and following.kind == frame.kind


def _free_length(stream: BinaryIO, position: int, header: bytes) -> int:
    """Return how long frames of a free bit rate are, without padding, 0 where none follows."""
    stream.seek(position)
    data = stream.read(LONGEST_FREE)
    padding = (header[2] >> 1 & 1) * (4 if header[1] >> 1 & 3 == LAYER_1 else 1)
    for place in range(HEADER, len(data) - HEADER):
        same = data[place : place + 2] == header[:2] and data[place + 2] & 0xFC == header[2] & 0xFC
        if same and data[place + 3] >> 6 == header[3] >> 6:
            return place - padding
    return 0
