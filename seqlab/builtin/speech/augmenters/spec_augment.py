"""Stretches of time and of frequency masked.

D. S. Park, W. Chan, Y. Zhang, C.-C. Chiu, B. Zoph, E. D. Cubuk, Q. V. Le, "SpecAugment: A Simple Data
Augmentation Method for Automatic Speech Recognition" (2019). Its time warping is left out: the authors found
that it adds least, and `speed` does as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy import float32
from numpy.random import Generator
from numpy.typing import NDArray

from seqlab.api import SeqlabError

__all__ = ["Masks", "SpecAugment"]


@dataclass(frozen=True, kw_only=True)
class Masks:
    """How many masks there are along an axis, and how wide one is at most: as a share of the axis, and alone.

    `widest` is None where the share is the only limit.
    """

    count: int
    widest: int | None
    share: float

    def spans(self, size: int, generator: Generator) -> Iterator[slice]:
        """Draw the masks of an axis of `size`: width, then place."""
        limit = int(self.share * size)
        limit = limit if self.widest is None else min(self.widest, limit)
        for _ in range(self.count):
            width = int(generator.integers(limit + 1))
            start = int(generator.integers(size - width + 1))
            yield slice(start, start + width)


@dataclass(frozen=True, kw_only=True)
class SpecAugment:
    """Masks frames of shape (time, features); feature i belongs to band i modulo `bands`."""

    time: Masks
    frequency: Masks
    bands: int | None
    value: Literal["zero", "mean"]
    probability: float

    stage: Literal["features"] = "features"
    keeps_length: bool = True

    def __call__(self, value: NDArray[float32], generator: Generator) -> NDArray[float32]:
        """Return frames with masks; SeqlabError where bands or their masks do not fit the features."""
        count, size = value.shape
        bands = self._bands(size)
        if generator.random() >= self.probability:
            return value
        masked = value.copy()
        fill = value.mean(axis=0) if self.value == "mean" else np.zeros(size, dtype=float32)
        # Derivatives and joined frames repeat the bands.
        repeated, filling = masked.reshape(count, -1, bands), fill.reshape(-1, bands)
        for span in self.frequency.spans(bands, generator):
            repeated[:, :, span] = filling[:, span]
        for span in self.time.spans(count, generator):
            masked[span] = fill
        return masked

    def _bands(self, size: int) -> int:
        bands = self.bands or size
        if size % bands:
            raise SeqlabError(f"augmenter spec_augment: {size} features are no multiple of bands, {bands}")
        if (widest := self.frequency.widest) is not None and widest > bands:
            raise SeqlabError(f"augmenter spec_augment: freq_mask must be at most {bands}, got {widest}")
        return bands
