"""Sound as in a room."""

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
from seqlab.builtin.speech.augmenters.spectra import convolved, energy

__all__ = ["DecayingNoise", "RecordedResponses", "Responses", "Reverb"]

DECAY = 3 * np.log(10)
"""60 dB are a factor of 1000 in amplitude: exp(-DECAY)."""


class Responses(Protocol):
    """Where impulse responses come from."""

    def draw(self, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return an impulse response at this rate; its level does not matter."""
        ...


class Reverb:
    """Convolves sound with an impulse response.

    The strongest sample of the response counts as the direct sound, which stays where it was in time; the
    length stays, and so does the energy.
    """

    stage: Literal["audio"] = "audio"
    keeps_length = True

    def __init__(self, responses: Responses, *, probability: float) -> None:
        self.responses = responses
        self.probability = probability

    def __call__(self, value: Audio, generator: Generator) -> Audio:
        """Return the sound with its reverberation."""
        if generator.random() >= self.probability:
            return value
        response = self.responses.draw(value.sample_rate, generator)
        samples = value.samples()
        direct = int(np.abs(response).argmax())
        wet = convolved(samples, response)[direct : direct + len(samples)]
        loudness = energy(wet)
        if not loudness:
            return value
        return Sound(wet * float32(np.sqrt(energy(samples) / loudness)), value.sample_rate)


class DecayingNoise:
    """An impulse, then white noise that decays exponentially: the simplest model of a room (Moorer 1979).

    `rt60` is the range of the time, in seconds, in which the noise falls by 60 dB, `direct` that of the
    energy of the impulse over that of the noise, in dB.
    """

    def __init__(self, rt60: tuple[float, float], direct: tuple[float, float]) -> None:
        self.rt60 = rt60
        self.direct = direct

    def draw(self, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return a response that ends where the noise has fallen by 60 dB."""
        length = max(2, round(generator.uniform(*self.rt60) * sample_rate))
        ratio = 10 ** (generator.uniform(*self.direct) / 10)
        tail = generator.standard_normal(length, dtype=float32)
        tail *= np.exp(-DECAY / length * np.arange(length)).astype(float32)
        tail[0] = 0
        tail /= float32(np.sqrt(np.square(tail).sum() * ratio))
        tail[0] = 1
        return tail


class RecordedResponses:
    """Impulse responses from sound files, resampled to the rate of the utterance."""

    def __init__(self, files: Sequence[FilePath]) -> None:
        self.sources = find_recordings(files, "augmenter reverb")

    def draw(self, sample_rate: int, generator: Generator) -> NDArray[float32]:
        """Return the response in one of the files."""
        source = self.sources[generator.integers(len(self.sources))]
        settings = AudioSettings(sample_rate=sample_rate, limits=UNLIMITED)
        return AudioFile(source, settings=settings).samples()
