"""Fourier transforms of real signals, at lengths that are quick.

In float64, as numpy before 2.0 computes in any case: the result is that of every version.
"""

from __future__ import annotations

import numpy as np
from numpy import float32, float64
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["coloured", "convolved", "energy", "quick_length"]


def energy(samples: NDArray[float32]) -> float:
    """Return the mean square of the samples."""
    return float(np.mean(np.square(samples, dtype=float64)))


def quick_length(length: int) -> int:
    """Return the smallest number, `length` or more, that is a power of two or 3, 5 or 9 times one."""
    sizes = (odd << max(0, (-(-length // odd) - 1).bit_length()) for odd in (1, 3, 5, 9))
    return min(sizes)


def convolved(samples: NDArray[float32], response: NDArray[float32]) -> NDArray[float32]:
    """Return the full convolution, of length samples + response - 1, by a Fourier transform."""
    length = len(samples) + len(response) - 1
    size = quick_length(length)
    spectrum = np.fft.rfft(samples.astype(float64), size) * np.fft.rfft(response.astype(float64), size)
    return np.fft.irfft(spectrum, size)[:length].astype(float32)


def coloured(length: int, exponent: float, generator: Generator) -> NDArray[float32]:
    """Return normally distributed noise whose power density falls as 1 / frequency^exponent."""
    if not exponent:
        return generator.standard_normal(length, dtype=float32)
    size = quick_length(length)
    spectrum = np.fft.rfft(generator.standard_normal(size))
    frequencies = np.arange(len(spectrum), dtype=float64)
    frequencies[0] = 1.0  # no division by 0; a constant offset is no sound, and is taken out below
    spectrum *= frequencies ** (-exponent / 2)
    spectrum[0] = 0
    return np.fft.irfft(spectrum, size)[:length].astype(float32)
