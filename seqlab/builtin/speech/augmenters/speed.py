"""Sound played faster or slower.

T. Ko, V. Peddinti, D. Povey, S. Khudanpur, "Audio Augmentation for Speech Recognition" (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from numpy.random import Generator

from seqlab.api import Audio, Sound
from seqlab.audio import resample

__all__ = ["Speed"]


class Speed:
    """Resamples by one of `factors`, or by any between their ends: n samples become about n / factor.

    Factors are rounded so that a whole number of Hz is resampled from: by at most 1 / (2 * sample rate).
    """

    stage: Literal["audio"] = "audio"

    def __init__(self, factors: Sequence[float], *, continuous: bool) -> None:
        self.factors = tuple(factors)
        self.continuous = continuous
        self.keeps_length = set(factors) == {1.0}

    def __call__(self, value: Audio, generator: Generator) -> Audio:
        """Return the sound at another speed and pitch, the sample rate unchanged."""
        if self.continuous:
            factor = generator.uniform(min(self.factors), max(self.factors))
        else:
            factor = self.factors[generator.integers(len(self.factors))]
        rate = value.sample_rate
        # As if more samples a second had been taken than there were: brought to `rate`, they are fewer.
        played = round(rate * factor)
        return value if played == rate else Sound(resample(value.samples(), played, rate), rate)
