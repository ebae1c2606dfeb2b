"""A stretch of encoded sound, decoded when its samples are asked for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.decoding import Encoded, Source
from seqlab.audio.meter import Meter
from seqlab.audio.mixing import mixed, selected
from seqlab.audio.resampling import RESAMPLER, resample
from seqlab.audio.settings import DURATION_TOLERANCE, AudioSettings, Declared

__all__ = ["AudioFile"]


class AudioFile:
    """Sound from `start` to `end` (seconds; None: to the file's end) of a file, bytes or a file object.

    An `seqlab.api.Audio`: lazy, so a corpus of them costs no memory; only the stretch is decoded. Whatever
    `settings.limits` refuses is a DataError, from `check_header` and `check` as from `samples`.
    """

    def __init__(
        self,
        source: Source | Encoded,
        start: float = 0.0,
        end: float | None = None,
        settings: AudioSettings | None = None,
    ) -> None:
        self.source = source if isinstance(source, Source) else Source(source)
        self.start = start
        self.end = end
        self.settings = settings or AudioSettings()

    def __repr__(self) -> str:
        return f"AudioFile({self.source.name!r}, start={self.start!r}, end={self.end!r})"

    @property
    def sample_rate(self) -> int:
        """Samples per second of `samples`, Hz."""
        return self.settings.sample_rate or self.source.header.sample_rate

    @property
    def duration(self) -> float:
        """Length of the stretch in seconds, from the header alone."""
        first, last = self._frames
        return (last - first) / self.source.header.sample_rate

    @cached_property
    def fingerprint(self) -> str:
        """Names the samples: a hash of the file's bytes, the stretch, the channel and the rate."""
        settings = self.settings
        facts = [self.source.digest, *self._frames, settings.channel]
        if settings.sample_rate not in (None, self.source.header.sample_rate):
            facts += [settings.sample_rate, RESAMPLER]
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()

    def check_header(self, declared: Declared | None = None) -> None:
        """Check all that is known before decoding; `declared` is what is said of the file elsewhere."""
        header, limits, channel = self.source.header, self.settings.limits, self.settings.channel
        if channel != "mix" and channel >= header.channels:
            there = f"channels 0 to {header.channels - 1}" if header.channels > 1 else "only channel 0"
            raise self.source.error(f"channel {channel} is wanted, but the file has {there}")
        reason = limits.rate_problem(header.sample_rate) or limits.duration_problem(self.duration)
        if not reason and declared:
            reason = declared.problem(header.sample_rate, self.duration)
        if reason:
            raise self.source.error(reason)

    def check(self) -> None:
        """Decode and check all of it in constant memory."""
        for _ in self.blocks():
            pass

    def blocks(self) -> Iterator[NDArray[float32]]:
        """Yield the mixed samples (time,) at the file's own rate, in pieces of bounded size.

        Silence and clipping are told after the last block.
        """
        self.check_header()
        first, last = self._frames
        meter = Meter(self.source.header.sample_rate, first)
        for block in self.source.blocks(first, last):
            chosen = selected(block, self.settings.channel)
            mono = mixed(chosen)
            if reason := meter.add(chosen, mono):
                raise self.source.error(reason)
            yield mono
        if reason := meter.problem(self.settings.limits):
            raise self.source.error(reason)

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,), full scale at -1 and 1."""
        blocks = list(self.blocks())
        whole = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return resample(whole, self.source.header.sample_rate, self.sample_rate)

    @cached_property
    def _frames(self) -> tuple[int, int]:
        """The stretch in samples of the file: the first one, and the one after the last."""
        header = self.source.header
        if not (math.isfinite(self.start) and 0 <= self.start < header.duration):
            allowed = f"it must lie between 0 and the file's end at {header.duration:.4g} s"
            raise self.source.error(f"start at {self.start:.4g} s; {allowed}")
        first = round(self.start * header.sample_rate)
        last = header.frames if self.end is None else self._last(self.end)
        if last == first:
            raise self.source.error(
                f"empty: no sample lies between {self.start:.6g} s and the end of the stretch"
            )
        if (last - first) * self.sample_rate < header.sample_rate:
            reason = self.settings.limits.duration_problem((last - first) / header.sample_rate)
            there = f"{last - first} samples at {header.sample_rate} Hz"
            none = f"too short: {there} are less than one at {self.sample_rate} Hz"
            raise self.source.error(reason or none)
        return first, last

    def _last(self, end: float) -> int:
        header = self.source.header
        if not self.start < end <= header.duration + DURATION_TOLERANCE:
            allowed = f"it must lie after the start at {self.start:.4g} s, up to {header.duration:.4g} s"
            raise self.source.error(f"end at {end:.4g} s; {allowed}")
        return min(round(end * header.sample_rate), header.frames)
