"""Resampling by soxr, at its quality `HQ`.

One resampler and no second choice: two would give a model features that differ with what is installed.
soxr is faster than torchaudio's resampler and accepts any pair of rates.
"""

from __future__ import annotations

from numpy import float32
from numpy.typing import NDArray

from seqlab.errors import SeqlabError

__all__ = ["RESAMPLER", "resample"]

QUALITY = "HQ"

RESAMPLER = f"soxr {QUALITY}"
"""Names the algorithm in fingerprints: another one would give other samples."""


def resample(samples: NDArray[float32], rate: int, target: int) -> NDArray[float32]:
    """Return samples of shape (time,) at `rate` Hz as they sound at `target` Hz, of about equal duration."""
    if rate == target:
        return samples
    try:
        import soxr  # type: ignore[import-untyped]
    except ImportError as error:
        message = f"from {rate} to {target} Hz is resampled by soxr, which cannot be imported: {error}"
        raise SeqlabError(f"{message}; pip install soxr") from error
    resampled: NDArray[float32] = soxr.resample(samples, rate, target, quality=QUALITY)
    return resampled
