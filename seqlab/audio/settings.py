"""How sound is taken in, and what it must be like to be used; nothing here imports numpy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["DURATION_TOLERANCE", "SUFFIXES", "UNLIMITED", "AudioSettings", "Channel", "Declared", "Limits"]

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".sph", ".aiff", ".aif", ".au", ".w64", ".caf")
"""File-name endings of sound by which it is found in folders; a file that is named may have any."""

Channel: TypeAlias = int | Literal["mix"]
"""One channel, counted from 0, or the mean of all."""

DURATION_TOLERANCE = 0.1
"""Seconds by which a stated length or end may miss the true one: rounding, the padding of MP3 encoders."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused, each with a message of its own.

    Durations are seconds, rates Hz. `min_level` is in dB below full scale: half the distance between the
    highest and the lowest sample, so that a constant offset is silence, too; None lets silence pass.
    `max_clipped` is the largest share of samples that may stand at full scale (`meter.FULL_SCALE`).
    """

    min_duration: float = 0.05
    max_duration: float | None = None
    min_sample_rate: int = 4_000
    max_sample_rate: int = 384_000
    min_level: float | None = -60.0
    max_clipped: float = 0.05

    def duration_problem(self, seconds: float) -> str:
        """Say why a length is refused, an empty string where it is not."""
        if seconds < self.min_duration:
            lasts = f"{seconds:.4g} s" if seconds >= 1e-3 else "less than a millisecond"
            return f"too short: {lasts}, at least {self.min_duration:g} s are needed"
        if self.max_duration is not None and seconds > self.max_duration:
            return f"too long: {seconds:.4g} s, at most {self.max_duration:g} s are allowed"
        return ""

    def rate_problem(self, rate: int) -> str:
        """Say why a file's own sample rate is refused, an empty string where it is not."""
        if self.min_sample_rate <= rate <= self.max_sample_rate:
            return ""
        return f"sample rate of {rate} Hz; allowed are {self.min_sample_rate} to {self.max_sample_rate} Hz"


UNLIMITED = Limits(
    min_duration=0.0, min_sample_rate=0, max_sample_rate=sys.maxsize, min_level=None, max_clipped=1.0
)
"""Refuses only what is no sound at all: for pieces of a sound that has been held against its own limits."""


@dataclass(frozen=True, kw_only=True)
class AudioSettings:
    """One channel at one rate: `sample_rate` in Hz is resampled to, None keeps the sound's own."""

    sample_rate: int | None = None
    channel: Channel = "mix"
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a manifest says: the file's rate in Hz, the stretch's length in seconds; None: nothing."""

    sample_rate: int | None = None
    duration: float | None = None

    def problem(self, sample_rate: int, duration: float) -> str:
        """Say how the sound's own rate and length differ from what is stated, an empty string where equal."""
        if self.sample_rate not in (None, sample_rate):
            return f"has {sample_rate} samples a second, but sample_rate is stated as {self.sample_rate}"
        if self.duration is not None and abs(self.duration - duration) > DURATION_TOLERANCE:
            allowed = f"they may differ by {DURATION_TOLERANCE:g} s"
            return f"lasts {duration:.4g} s, but duration is stated as {self.duration:.4g} s; {allowed}"
        return ""
