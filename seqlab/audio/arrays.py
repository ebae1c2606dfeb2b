"""Sound that is an array in memory already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy import float32
from numpy.typing import ArrayLike, NDArray

from seqlab.audio.meter import Meter
from seqlab.audio.mixing import mixed, selected
from seqlab.audio.resampling import RESAMPLER, resample
from seqlab.audio.settings import AudioSettings
from seqlab.errors import DataError, Place

__all__ = ["AudioSamples"]

WIDEST = 4
"""Bytes of the widest integers: wider ones hold numbers of any scale, never full scale of their own."""

ALLOWED = "floating point with full scale at 1, and integers of up to 32 bits with that of their type"


class AudioSamples:
    """Samples of shape (time,) or (time, channels) at `rate` Hz: an `seqlab.api.Audio`.

    Floating point has its full scale at 1, integers of up to 32 bits at the largest value of their type. What
    is no such array is a DataError at once, what `settings.limits` refuses one from `check` and `samples`;
    `name` stands for the array in messages. A float32 array is not copied, so it must not change any more.
    """

    def __init__(
        self, samples: ArrayLike, rate: int, settings: AudioSettings | None = None, name: str = "<array>"
    ) -> None:
        self.name = name
        self.settings = settings or AudioSettings()
        self.rate = self._rate(rate)
        self._block = self._scaled(self._selected(self._shaped(np.asarray(samples))))

    def __repr__(self) -> str:
        return f"AudioSamples({self.name!r}, {self.duration:.4g} s at {self.rate} Hz)"

    @property
    def sample_rate(self) -> int:
        """Samples per second of `samples`, Hz."""
        return self.settings.sample_rate or self.rate

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self._block) / self.rate

    @cached_property
    def fingerprint(self) -> str:
        """Names the samples: a hash of the wanted channels, their rate and the rate they are brought to."""
        rates = (self.rate,) if self.sample_rate == self.rate else (self.rate, self.sample_rate, RESAMPLER)
        digest = hashlib.blake2b(repr((rates, self._block.shape)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self._block).tobytes())
        return digest.hexdigest()

    def check(self) -> None:
        """Check all of it."""
        for _ in self.blocks():
            pass

    def blocks(self) -> Iterator[NDArray[float32]]:
        """Yield the mixed samples (time,) at their own rate, as `AudioFile.blocks` does, in one piece."""
        limits, meter, mono = self.settings.limits, Meter(self.rate), mixed(self._block)
        reason = limits.rate_problem(self.rate) or limits.duration_problem(self.duration)
        if reason := reason or meter.add(self._block, mono):
            raise self._error(reason)
        yield mono
        if reason := meter.problem(limits):
            raise self._error(reason)

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,), full scale at -1 and 1."""
        (mono,) = self.blocks()
        return resample(mono, self.rate, self.sample_rate)

    def _rate(self, rate: int) -> int:
        try:
            whole = int(rate)
        except (TypeError, ValueError, OverflowError):  # nan and infinity are the last two
            whole = 0
        if isinstance(rate, bool) or rate != whole or whole < 1:
            raise self._error(f"the sample rate must be a whole number of Hz, at least 1, got {rate!r}")
        return whole

    def _shaped(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return (time,) or (time, channels) as (time, channels)."""
        if samples.ndim not in (1, 2) or not samples.size or samples.shape[-1] > len(samples):
            hint = "; transpose it" if samples.ndim == 2 and samples.size else ""
            wanted = "samples of shape (time,) or (time, channels), time > 0"
            raise self._error(f"expected {wanted}, got {samples.shape}{hint}")
        return samples[:, None] if samples.ndim == 1 else samples

    def _scaled(self, block: NDArray[Any]) -> NDArray[float32]:
        """Return samples of any type as float32, full scale at -1 and 1."""
        if block.dtype.kind == "f":
            return self._single(block)
        if block.dtype.kind not in "iu":
            raise self._error(f"expected samples of a floating-point or integer type, got {block.dtype}")
        if block.dtype.itemsize > WIDEST:
            message = f"{block.dtype} samples have no full scale that is known; allowed are {ALLOWED}"
            raise self._error(f"{message}: for values of 16 bits, samples.astype('int16') or samples / 32768")
        span = np.iinfo(block.dtype.name)
        middle = (span.max + span.min + 1) // 2
        return ((block.astype(np.float64) - middle) / (span.max - middle + 1)).astype(np.float32)

    def _single(self, block: NDArray[Any]) -> NDArray[float32]:
        """Return floating-point samples as float32; DataError for a number that it has no room for."""
        with np.errstate(over="ignore"):
            single: NDArray[float32] = block.astype(np.float32, copy=False)
        if block.dtype.itemsize > single.dtype.itemsize and np.any(np.isinf(single) & np.isfinite(block)):
            raise self._error(Meter(self.rate).add(block, block[:, 0]))
        return single

    def _selected(self, block: NDArray[Any]) -> NDArray[Any]:
        channel = self.settings.channel
        if channel != "mix" and channel >= block.shape[1]:
            raise self._error(f"channel {channel} is wanted, but the array has {block.shape[1]}")
        return selected(block, channel)

    def _error(self, reason: str) -> DataError:
        return DataError(reason, place=Place(self.name))
