"""Long sound cut into pieces where it is quiet, in bounded memory: nothing is lost and nothing doubled."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.arrays import AudioSamples
from seqlab.audio.files import AudioFile
from seqlab.audio.meter import Meter
from seqlab.audio.settings import UNLIMITED, AudioSettings

__all__ = ["LEAST_LONGEST", "Piece", "Quiet", "pieces", "quietest"]

LEAST_LONGEST = 1.0
"""Seconds that pieces must at least be allowed to have: below, words would be cut."""

SHORTEST = 4
"""No piece of a sound that is cut is shorter than the longest one allowed, divided by this."""

OVERLAP = 1.0
"""Seconds of sound on either side of a cut that is not in a pause, which both pieces hold."""

LARGEST_OVERLAP = 8
"""No overlap on one side is longer than the longest piece allowed, divided by this: half the shortest."""

FRAME = 0.01
"""Seconds of which the level is taken."""

PAUSE = 0.2
"""Seconds over which levels are averaged: a pause between words, longer than the closure of a stop."""

ALIKE = 2.0
"""Levels count as equally low up to this factor in power, 3 dB: a pause is as long as it stays so."""

SILENT_POWER = 1e-8
"""Mean square below which sound is silence and one as quiet as the other, 80 dB below full scale."""

CLEAR = 1e-2
"""A stretch is a pause up to this share of the mean power around it: 20 dB below."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sound, from `start` to `end` in seconds, held in memory.

    `audio` begins `before` seconds earlier and ends `after` seconds later, where pieces overlap. `silent`:
    the stretch is below the level that the sound's limits ask for. `last`: the sound ends with it.
    """

    start: float
    end: float
    audio: AudioSamples
    silent: bool
    last: bool
    before: float = 0.0
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Quiet:
    """The quietest place of a stretch, a sample from 0, and whether it is in a pause."""

    place: int
    pause: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples that a piece holds, of which `before` and `after` belong to its neighbours."""

    samples: NDArray[float32]
    before: int
    after: int
    last: bool


def pieces(audio: AudioFile | AudioSamples, longest: float, *, overlap: bool = False) -> Iterator[Piece]:
    """Yield the sound in pieces of at most `longest` seconds, one where it is no longer than that.

    A cut is made in the middle of the quietest stretch that leaves no piece too short. With `overlap`, where
    that is no pause, both pieces hold what is around the cut, so that each knows its last word's end. Each
    piece is brought to the wanted rate by itself, as the same stretch of a file is. What the sound's limits
    refuse is a DataError, at the latest instead of the last piece; the pieces have its name and no limits of
    their own. ValueError where `longest` is not at least LEAST_LONGEST. With an infinite one nothing is cut.
    """
    if not longest >= LEAST_LONGEST:
        raise ValueError(f"pieces must be allowed at least {LEAST_LONGEST:g} s, got {longest:g}")
    if isinstance(audio, AudioSamples):
        name, rate = audio.name, audio.rate
    else:
        name, rate = audio.source.name, audio.source.header.sample_rate
    settings = AudioSettings(sample_rate=audio.settings.sample_rate, limits=UNLIMITED)
    limits = replace(audio.settings.limits, max_clipped=1.0)
    first = 0
    for cut in _Cutter(rate, longest, overlap=overlap)(audio.blocks()):
        core = cut.samples[cut.before : len(cut.samples) - cut.after]
        end = first + len(core)
        meter = Meter(rate, first)
        meter.add(core[:, None], core)
        yield Piece(
            first / rate,
            end / rate,
            AudioSamples(cut.samples, rate, settings, name),
            bool(meter.problem(limits)),
            cut.last,
            cut.before / rate,
            cut.after / rate,
        )
        first = end


def quietest(samples: NDArray[float32], rate: int) -> Quiet:
    """Return the middle of the longest of the quietest stretches of (time,).

    Of equally long ones it is the last. A constant offset counts as silence.
    """
    hop = max(1, min(round(FRAME * rate), len(samples)))
    count = len(samples) // hop
    frames = (samples - samples.mean())[: count * hop].reshape(count, -1)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    width = min(count, round(PAUSE / FRAME))
    mean = np.convolve(power, np.full(width, 1 / width), mode="valid")
    lowest = max(float(mean.min()), SILENT_POWER)
    quiet = mean <= ALIKE * lowest
    # Where runs of quiet begin and end: each second change ends one.
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    begins, ends = edges[::2], edges[1::2]
    longest = np.flatnonzero(ends - begins == (ends - begins).max())[-1]
    place = int((begins[longest] + ends[longest] - 1 + width) * hop) // 2
    return Quiet(place, lowest <= max(CLEAR * float(power.mean()), SILENT_POWER))


def _joined(blocks: list[NDArray[float32]]) -> NDArray[float32]:
    """Return blocks as one; a single one is not copied."""
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


class _Cutter:
    """Cuts blocks of samples into pieces; any blocks of a sound give the same pieces."""

    def __init__(self, rate: int, longest: float, *, overlap: bool) -> None:
        self.rate = rate
        self.most = sys.maxsize if math.isinf(longest) else int(longest * rate)
        self.least = max(1, self.most // SHORTEST)
        shared = min(round(OVERLAP * rate), self.most // LARGEST_OVERLAP)
        self.overlap = shared if overlap else 0

    def __call__(self, blocks: Iterable[NDArray[float32]]) -> Iterator[Cut]:
        """Yield the pieces."""
        before = 0
        waiting: list[NDArray[float32]] = []
        length = 0
        for block in blocks:
            waiting.append(block)
            length += len(block)
            if length < self.most + self.least:
                continue  # to join them at each block would copy what is long again and again
            rest = _joined(waiting)
            while len(rest) >= self.most + self.least:
                cut, rest = self._cut(rest, before)
                yield cut
                before = cut.after
            waiting, length = [rest], len(rest)
        rest = _joined(waiting) if waiting else np.empty(0, dtype=np.float32)
        while len(rest) > self.most:
            cut, rest = self._cut(rest, before)
            yield cut
            before = cut.after
        yield Cut(rest, before, 0, last=True)

    def _cut(self, rest: NDArray[float32], before: int) -> tuple[Cut, NDArray[float32]]:
        """Cut a piece off; what remains begins with the sound that both hold.

        Neither what is cut off nor what remains may be shorter than `least`, overlaps left aside.
        """
        begin, end = before + self.least, min(self.most, len(rest) - self.least)
        quiet = quietest(rest[begin:end], self.rate)
        after = 0
        if self.overlap and not quiet.pause:
            after = self.overlap
            quiet = quietest(rest[begin : min(self.most - after, end)], self.rate)
        place = begin + quiet.place
        # A view would keep the whole block in memory.
        return Cut(rest[: place + after].copy(), before, after, last=False), rest[place - after :]
