"""Made sounds with which components are checked: noise of unequal lengths, and silence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

__all__ = ["SAMPLES", "Noise"]


@dataclass(frozen=True)
class Noise:
    """An `Audio` of white noise, the same for the same length; of amplitude 0 it is silence."""

    duration: float
    amplitude: float = 0.1
    sample_rate: int = 16_000

    @property
    def fingerprint(self) -> str:
        """What names the samples."""
        return hashlib.sha256(self.samples().tobytes()).hexdigest()

    def samples(self) -> NDArray[float32]:
        """Return the samples."""
        import numpy as np

        count = round(self.duration * self.sample_rate)
        wave = np.random.default_rng(count).standard_normal(count)
        return (self.amplitude * wave).astype(np.float32)


SAMPLES = (
    Noise(0.7),
    Noise(0.31),
    Noise(0.05),
    Noise(1.31),
    Noise(0.004),  # shorter than any window
    Noise(0.5, amplitude=0.0),
)
"""Sounds of unequal lengths, one of them silent."""
