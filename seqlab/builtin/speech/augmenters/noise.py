"""Noise added to sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy import float32
from numpy.random import Generator
from numpy.typing import NDArray

from seqlab.api import Audio, FilePath, Sound
from seqlab.audio import UNLIMITED, AudioFile, AudioSettings
from seqlab.builtin.speech.augmenters.recordings import find_recordings
from seqlab.builtin.speech.augmenters.spectra import coloured, energy

__all__ = ["ColouredNoise", "Noise", "NoiseSource", "RecordedNoise"]


class NoiseSource(Protocol):
    """Where noise comes from."""

    def draw(self, length: int, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return so many samples at this rate; their level does not matter."""
        ...


class Noise:
    """Adds noise at a ratio of energies between the two of `snr`, in dB, drawn evenly in dB.

    Energies are means over the whole utterance. Silence, as sound or as stretch of noise, has no ratio: the
    sound stays.
    """

    stage: Literal["audio"] = "audio"
    keeps_length = True

    def __init__(self, source: NoiseSource, *, snr: tuple[float, float], probability: float) -> None:
        self.source = source
        self.snr = snr
        self.probability = probability

    def __call__(self, value: Audio, generator: Generator) -> Audio:
        """Return the sound with noise; the sound in it keeps its level."""
        if generator.random() >= self.probability:
            return value
        ratio = 10 ** (generator.uniform(*self.snr) / 10)
        samples = value.samples()
        noise = self.source.draw(len(samples), value.sample_rate, generator)
        loudness = energy(noise)
        if not loudness:
            return value
        factor = np.sqrt(energy(samples) / (ratio * loudness))
        return Sound(samples + float32(factor) * noise, value.sample_rate)


class ColouredNoise:
    """Normally distributed noise whose power density falls as 1 / frequency^exponent."""

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def draw(self, length: int, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return noise of any rate."""
        return coloured(length, self.exponent, generator)


class RecordedNoise:
    """Stretches of sound files, resampled to the rate of the utterance."""

    def __init__(self, files: Sequence[FilePath]) -> None:
        self.sources = find_recordings(files, "augmenter noise")

    def draw(self, length: int, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return a stretch of one file that starts anywhere in it; one that is too short is repeated."""
        source = self.sources[generator.integers(len(self.sources))]
        duration = source.header.duration
        # At least two of its own samples: of less, rounding may leave none.
        wanted = max(length / sample_rate, 2 / source.header.sample_rate)
        start = generator.uniform(0, max(0.0, duration - wanted))
        end = min(start + wanted, duration)
        settings = AudioSettings(sample_rate=sample_rate, limits=UNLIMITED)
        stretch = AudioFile(source, start, end, settings).samples()
        return np.resize(stretch, length)
