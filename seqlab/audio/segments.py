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

__all__ = ["LEAST_LONGEST", "Piece", "pieces", "quietest"]

LEAST_LONGEST = 1.0
"""Seconds that pieces must at least be allowed to have: below, words would be cut."""

SHORTEST = 4
"""No piece of a sound that is cut is shorter than the longest one allowed, divided by this."""

FRAME = 0.01
"""Seconds of which the level is taken."""

PAUSE = 0.2
"""Seconds over which levels are averaged: a pause between words, longer than the closure of a stop."""

ALIKE = 2.0
"""Levels count as equally low up to this factor in power, 3 dB: a pause is as long as it stays so."""

SILENT_POWER = 1e-8
"""Mean square below which sound is silence and one as quiet as the other, 80 dB below full scale."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sound, from `start` to `end` in seconds, held in memory.

    `silent`: it is below the level that the sound's limits ask for. `last`: the sound ends with it.
    """

    start: float
    end: float
    audio: AudioSamples
    silent: bool
    last: bool


def pieces(audio: AudioFile | AudioSamples, longest: float) -> Iterator[Piece]:
    """Yield the sound in pieces of at most `longest` seconds, one where it is no longer than that.

    A cut is made in the middle of the quietest stretch that leaves no piece too short. Each piece is brought
    to the wanted rate by itself, as the same stretch of a file is. What the sound's limits refuse is a
    DataError, at the latest instead of the last piece; the pieces have its name and no limits of their own.
    ValueError where `longest` is not at least LEAST_LONGEST. With an infinite one nothing is cut.
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
    most = sys.maxsize if math.isinf(longest) else int(longest * rate)
    for samples, last in _cut(audio.blocks(), rate, most):
        end = first + len(samples)
        meter = Meter(rate, first)
        meter.add(samples[:, None], samples)
        silent = bool(meter.problem(limits))
        yield Piece(first / rate, end / rate, AudioSamples(samples, rate, settings, name), silent, last)
        first = end


def quietest(samples: NDArray[float32], rate: int) -> int:
    """Return the sample in the middle of the longest of the quietest stretches of (time,), from 0.

    Of equally long ones it is the last. A constant offset counts as silence.
    """
    hop = max(1, min(round(FRAME * rate), len(samples)))
    count = len(samples) // hop
    frames = (samples - samples.mean())[: count * hop].reshape(count, -1)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    width = min(count, round(PAUSE / FRAME))
    mean = np.convolve(power, np.full(width, 1 / width), mode="valid")
    quiet = mean <= ALIKE * max(float(mean.min()), SILENT_POWER)
    # Where runs of quiet begin and end: each second change ends one.
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    begins, ends = edges[::2], edges[1::2]
    longest = np.flatnonzero(ends - begins == (ends - begins).max())[-1]
    return int((begins[longest] + ends[longest] - 1 + width) * hop) // 2


def _cut(blocks: Iterable[NDArray[float32]], rate: int, most: int) -> Iterator[tuple[NDArray[float32], bool]]:
    """Yield pieces of at most `most` samples, and whether each is the last; any blocks give the same."""
    least = max(1, most // SHORTEST)
    rest = np.empty(0, dtype=np.float32)
    for block in blocks:
        rest = np.concatenate((rest, block)) if len(rest) else block
        while len(rest) >= most + least:
            place = _place(rest, rate, most, least)
            yield rest[:place].copy(), False  # a view would keep the whole block in memory
            rest = rest[place:]
    if len(rest) > most:
        place = _place(rest, rate, most, least)
        yield rest[:place], False
        rest = rest[place:]
    yield rest, True


def _place(rest: NDArray[float32], rate: int, most: int, least: int) -> int:
    """Return where to cut: neither what is cut off nor what remains may be shorter than `least`."""
    return least + quietest(rest[least : min(most, len(rest) - least)], rate)
