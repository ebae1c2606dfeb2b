"""The frames in a block of MPEG audio: found one after the other, then all looked at together.

An hour of sound has a hundred thousand frames. How far it is to the next is told by each one in its turn; the
rest numpy reads from all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqlab.audio.links import SoundError
from seqlab.audio.mp3_frames import HEADER, MPEG_1, VBRI, Frame, Telling, parse, told

__all__ = ["Block", "Run"]

MARKS = [int.from_bytes(mark, "big") for mark in (b"Xing", b"Info", b"VBRI")]
"""What a frame that tells how many follow is known by."""

MOST_VALUES = 288
"""Pairs of values that a granule may hold."""

SWITCHED_TO_NONE = 0b100
"""A bit that windows are switched, and two that say to which: 0 is none."""


@dataclass(frozen=True, slots=True)
class Run:
    """Frames of one kind, one behind the other, from a byte to another of the file; `first` is one of them.

    A frame that tells of those that follow, and holds no sound, is a run of its own.
    """

    first: Frame
    begin: int
    end: int
    frames: int
    telling: Telling | None


@dataclass(slots=True)
class Block:
    """Bytes of a file from `begin` on, and the frames that were found: what each is, and where it begins."""

    begin: int
    data: bytes
    frames: list[Frame] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Counted from the beginning of the block."""

    @property
    def end(self) -> int:
        """The byte of the file after its last one."""
        return self.begin + len(self.data)

    def follow(self, position: int, free: int) -> int:
        """Take in the frames that begin at a byte of the file, and return where the last whole one ends."""
        data, frames, places = self.data, self.frames, self.places
        known: dict[bytes, Frame] = {}  # few headers of a file differ
        place = position - self.begin
        while True:
            header = data[place : place + HEADER]
            frame = known.get(header)
            if frame is None:
                frame = parse(header, free)
                if not frame or not frame.length:
                    break
                known[header] = frame
            following = place + frame.length
            if following > len(data):
                break
            frames.append(frame)
            places.append(place)
            place = following
        return self.begin + place

    def runs(self) -> Iterator[Run]:
        """Yield the runs of the frames; SoundError for the first of them that is damaged."""
        if not self.frames:
            return
        words = _Words(self.data)
        places = np.array(self.places)
        _, first, which = np.unique(words.at(places), return_index=True, return_inverse=True)
        distinct = [self.frames[number] for number in first]
        lengths = np.array([frame.length for frame in distinct])[which]
        marked: list[int] = []
        damaged: list[tuple[int, str]] = []
        for shape in {frame.shape for frame in distinct if frame.layer == 3}:
            chosen = np.flatnonzero(np.array([frame.shape == shape for frame in distinct])[which])
            frame = self.frames[chosen[0]]
            marked += chosen[_marked(words, places[chosen], frame)].tolist()
            if problem := _first_problem(words, places[chosen], lengths[chosen], frame):
                damaged.append((int(chosen[problem[0]]), problem[1]))
        if damaged:
            number, problem_there = min(damaged)
            place = self.begin + self.places[number]
            raise SoundError(f"damaged: the frame that begins at byte {place} has {problem_there}")
        kinds = [frame.kind for frame in distinct]
        changes = np.diff(np.array([kinds.index(kind) for kind in kinds])[which]) != 0
        gaps = np.diff(places) != lengths[:-1]
        yield from self._cut(np.flatnonzero(changes | gaps) + 1, marked)

    def _cut(self, borders: NDArray[np.int64], marked: Sequence[int]) -> Iterator[Run]:
        """Yield the runs between borders and those frames that tell how many follow."""
        telling: dict[int, Telling] = {}
        for number in marked:
            frame, place = self.frames[number], self.places[number]
            if found := told(frame, self.data[place : place + frame.length]):
                telling[number] = found
        around = {place for number in telling for place in (number, number + 1)}
        for first, last in pairwise(sorted({0, len(self.frames), *borders.tolist(), *around})):
            begin = self.begin + self.places[first]
            end = self.begin + self.places[last - 1] + self.frames[last - 1].length
            yield Run(self.frames[first], begin, end, last - first, telling.get(first))


class _Words:
    """The numbers that 4 bytes make, highest first, wherever one looks in a block."""

    def __init__(self, data: bytes) -> None:
        # Each begins a byte after the one before: a view of the same bytes.
        self._words = np.ndarray(len(data) - 3, ">u4", data, strides=(1,))

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number at each place, that of the last 4 bytes where the block ends before."""
        return self._words[np.minimum(places, len(self._words) - 1)].astype(np.int64)

    def bits(self, places: NDArray[np.int64], first: int, count: int) -> NDArray[np.int64]:
        """Return the number that bits make, at most 25 of them, the first so many bits behind each place."""
        return self.at(places + first // 8) >> (32 - first % 8 - count) & (1 << count) - 1


def _marked(words: _Words, places: NDArray[np.int64], frame: Frame) -> NDArray[np.bool_]:
    """Return which frames of one shape seem to tell how many follow."""
    return np.isin(words.at(places + frame.mark), MARKS) | np.isin(words.at(places + VBRI), MARKS)


def _first_problem(
    words: _Words, places: NDArray[np.int64], lengths: NDArray[np.int64], frame: Frame
) -> tuple[int, str] | None:
    """Return which of these frames of one shape is the first whose side information cannot be, and why."""
    room = lengths - frame.mark
    problems = {"no room for the side information": room < 0}
    problems |= _side_problems(words, places + frame.mark - frame.side_length, room, frame)
    bad = np.logical_or.reduce(list(problems.values()))
    first = int(bad.argmax())
    return (first, next(name for name, found in problems.items() if found[first])) if bad[first] else None


def _side_problems(
    words: _Words, sides: NDArray[np.int64], room: NDArray[np.int64], frame: Frame
) -> dict[str, NDArray[np.bool_]]:
    """Return what cannot be, and in which frames; `sides` is where their side information begins."""
    channels, newest = 1 if frame.mono else 2, frame.version == MPEG_1
    # Before the granules: where the main data begins, private bits, and what scale factors are shared.
    before = (9 + (5 if frame.mono else 3) + 4 * channels) if newest else (8 + channels)
    granules, width = (2 * channels, 59) if newest else (channels, 63)
    used = np.zeros_like(sides)
    crowded, no_windows = np.zeros((2, len(sides)), bool)
    for granule in range(before, before + granules * width, width):
        used += words.bits(sides, granule, 12)
        crowded |= words.bits(sides, granule + 12, 9) > MOST_VALUES
        # After length, values, gain and the bits for scale factors: whether windows are switched, and how.
        no_windows |= words.bits(sides, granule + 29 + (4 if newest else 9), 3) == SWITCHED_TO_NONE
    reservoir = words.bits(sides, 0, 9 if newest else 8)
    return {
        "more values than a granule holds": crowded,
        "windows that are switched to none": no_windows,
        "more data than there is room for": used > 8 * (reservoir + room),
    }
