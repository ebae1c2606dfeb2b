"""Sounds in memory for the tests of featurizers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]


@dataclass
class Sound:
    """A `seqlab.api.Audio` of an array; counts how often it is read."""

    wave: Wave = field(repr=False)
    sample_rate: int = 16_000
    name: str = "a sound"
    read: int = 0

    @property
    def duration(self) -> float:
        return len(self.wave) / self.sample_rate

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.wave.tobytes()).hexdigest()

    def samples(self) -> Wave:
        self.read += 1
        return self.wave


def noise(samples: int, seed: int = 0, level: float = 0.1) -> Wave:
    generator = np.random.default_rng(seed)
    return (level * generator.standard_normal(samples)).astype(np.float32)


def sine(hertz: float, samples: int, rate: int = 16_000, level: float = 1.0) -> Wave:
    return (level * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)).astype(np.float32)


def speechlike(samples: int, seed: int = 0, rate: int = 16_000) -> Wave:
    """Tones that glide and swell over faint noise, in 16 bits as a file holds them."""
    generator = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    wave = 1e-3 * generator.standard_normal(samples)
    for number in range(1, 8):
        pitch = 110 * number * (1 + 0.2 * np.sin(2 * np.pi * 1.3 * time + seed))
        swell = np.square(np.sin(np.pi * (2 + number / 3) * time))
        wave += 0.3 / number * swell * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    return (np.round(32_767 * np.clip(wave / 2, -1, 1)) / 32_768).astype(np.float32)
