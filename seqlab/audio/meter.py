"""Measures sound block by block, in constant memory, and says what is wrong with it."""

from __future__ import annotations

import math

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.settings import Limits

__all__ = ["FULL_SCALE", "LOUDEST", "Meter"]

FULL_SCALE = 1 - 2**-7
"""A sample this far from 0 stands at full scale: the highest value that 8 bits hold, 0.07 dB below 1."""

LOUDEST = 8.0
"""A sample beyond this (18 dB above full scale) is on another scale than -1 to 1, that of integers say."""


class Meter:
    """Collects the samples' range and how many are clipped; `rate` (Hz) and `first` say where they are.

    The range is that of the mix, and of each channel (`bottoms`, `tops`) where there are several.
    """

    def __init__(self, rate: int, first: int = 0) -> None:
        self.rate = rate
        self.next = first
        self.lowest = math.inf
        self.highest = -math.inf
        self.bottoms = np.full(1, math.inf, dtype=np.float32)
        self.tops = -self.bottoms
        self.clipped = 0
        self.counted = 0

    def add(self, block: NDArray[float32], mono: NDArray[float32]) -> str:
        """Count a block (time, channels) and its mix (time,); return what makes it no sound, or nothing."""
        size = np.abs(block)
        peak = size.max(initial=0.0)
        if not peak <= LOUDEST:  # not a number is not at most anything
            return self._no_sound(block, size)
        self.clipped += int((size >= FULL_SCALE).sum()) if peak >= FULL_SCALE else 0
        self.counted += block.size
        self.lowest = min(self.lowest, float(mono.min(initial=math.inf)))
        self.highest = max(self.highest, float(mono.max(initial=-math.inf)))
        if block.shape[1] > 1:
            self.bottoms = np.minimum(self.bottoms, block.min(axis=0, initial=math.inf))
            self.tops = np.maximum(self.tops, block.max(axis=0, initial=-math.inf))
        self.next += len(block)
        return ""

    def problem(self, limits: Limits) -> str:
        """Say what is wrong with all that was counted, an empty string where nothing is."""
        return self._silence(limits) or self._clipping(limits)

    def _no_sound(self, block: NDArray[float32], size: NDArray[float32]) -> str:
        row, channel = np.argwhere(~(size <= LOUDEST))[0]
        where = f"sample {self.next + row} (at {(self.next + row) / self.rate:.3f} s)"
        value = float(block[row, channel])
        if math.isfinite(value):
            return f"{where} is {value:g}, far beyond full scale; samples must lie between -1 and 1"
        return f"{where} is {value}; samples must be finite numbers"

    def _silence(self, limits: Limits) -> str:
        if limits.min_level is None:
            return ""
        level = _level(self.lowest, self.highest)
        if level >= limits.min_level:
            return ""
        alone = max(map(_level, self.bottoms.tolist(), self.tops.tolist()))
        if alone >= limits.min_level:
            cancel = f"its {len(self.tops)} channels cancel each other when they are mixed"
            return f"silent: {cancel}; take one of them, by `channel` where a reader reads it"
        if level == -math.inf:
            return f"silent: every sample is {self.highest + 0.0:g}"  # not -0
        needed = f"at least {limits.min_level:g} dB are needed"
        return f"silent: its level is {level:.1f} dB of full scale, {needed}"

    def _clipping(self, limits: Limits) -> str:
        share = self.clipped / max(1, self.counted)
        if share <= limits.max_clipped:
            return ""
        return (
            f"clipped: {share:.1%} of its samples are at full scale, at most {limits.max_clipped:.1%} may be"
        )


def _level(lowest: float, highest: float) -> float:
    """Return the level of a range in dB of full scale, minus infinity where it holds a single value."""
    half = (highest - lowest) / 2
    return 20 * math.log10(half) if half > 0 else -math.inf
