"""Sound made louder or softer."""

from __future__ import annotations

from typing import Literal

from numpy import float32
from numpy.random import Generator

from seqlab.api import Audio, Sound

__all__ = ["Gain"]


class Gain:
    """Multiplies the samples by a factor between two gains in dB, drawn evenly in dB."""

    stage: Literal["audio"] = "audio"
    keeps_length = True

    def __init__(self, gain: tuple[float, float], *, probability: float) -> None:
        self.gain = gain
        self.probability = probability

    def __call__(self, value: Audio, generator: Generator) -> Audio:
        """Return the sound at another level."""
        if generator.random() >= self.probability:
            return value
        factor = 10 ** (generator.uniform(*self.gain) / 20)
        return Sound(value.samples() * float32(factor), value.sample_rate)
