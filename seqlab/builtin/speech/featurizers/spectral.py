"""Sound to frames: spectra, mel filter banks and cepstral coefficients of many sounds at once.

A frame depends on its own window of samples and on nothing else: there is no padding, no level relative to a
maximum, no noise that differs from run to run. All is computed in float64, in which the rounding of a Fourier
transform stays below `log_floor`, and delivered in float32: which sounds are computed together changes no
feature by more than the last bit of a float32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy import float32
from torch import Tensor

from seqlab.api import Audio, DataError, SeqlabError
from seqlab.builtin.speech.featurizers.backends import Array, Backend, Frame, MelBands
from seqlab.builtin.speech.featurizers.frames import Frames
from seqlab.engine.seeding import derived_seed

__all__ = ["Samples", "Spectra", "SpectralSettings", "frame_count"]

Samples: TypeAlias = Array
"""A sound's samples, (time,), ready for the transform."""

BLOCK_FRAMES = 512
"""Frames transformed at once: their spectra stay in the processor's caches, and long sounds need no room."""

REVISION = 2
"""Part of what names kept frames; to be raised with every change of this module that changes frames."""


MAX_BANK = 1 << 23
"""Numbers in the largest bank of filters, 64 MB: 128 bands of speech need a twentieth of it."""


@dataclass(frozen=True, kw_only=True)
class SpectralSettings:
    """What the frames of a sound depend on; `window` and `hop` in samples, frequencies in Hz.

    `log_floor` None takes no logarithm, `n_mels` 0 leaves the bins as they are, `n_mfcc` 0 the bands.
    """

    sample_rate: int
    window: int
    hop: int
    n_fft: int
    power: int
    log_floor: float | None
    pre_emphasis: float
    dither: float
    n_mels: int = 0
    f_min: float = 0.0
    f_max: float = 0.0
    n_mfcc: int = 0

    @property
    def frame(self) -> Frame:
        """The lengths in samples."""
        return Frame(window=self.window, hop=self.hop, n_fft=self.n_fft)

    @property
    def bands(self) -> MelBands:
        """The filter bank."""
        return MelBands(
            count=self.n_mels,
            f_min=self.f_min,
            f_max=self.f_max,
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
        )


def frame_count(samples: int, frame: Frame) -> int:
    """Return how many frames a sound has: `1 + (samples - window) // hop`, one where it is shorter."""
    return 1 + max(0, samples - frame.window) // frame.hop


class Spectra:
    """Computes the frames of sounds on a device; holds nothing but constants, so threads may share it.

    SeqlabError where the settings ask for bands that no bin of the spectrum falls into.
    """

    def __init__(
        self, settings: SpectralSettings, backend: Backend, device: torch.device | str = "cpu"
    ) -> None:
        self.settings = settings
        self.backend = backend
        self.device = torch.device(device)
        self._bank = self._constant(self._mel_bank()) if settings.n_mels else None
        self._dct = self._constant(backend.dct(settings.n_mfcc, settings.n_mels)) if settings.n_mfcc else None

    @property
    def size(self) -> int:
        """The number of features of a frame."""
        settings = self.settings
        return settings.n_mfcc or settings.n_mels or settings.n_fft // 2 + 1

    def identity(self) -> dict[str, Any]:
        """Return all that the frames of a sound depend on besides the sound, as plain JSON data."""
        versions = dict(self.backend.versions)
        return {
            **asdict(self.settings),
            "backend": self.backend.name,
            "versions": versions,
            "revision": REVISION,
        }

    def load(self, audio: Audio) -> Samples:
        """Return the samples ready for `frames`; DataError where they are not as wanted.

        At least a window of them: a shorter sound is filled up with zeros.
        """
        settings = self.settings
        if audio.sample_rate != settings.sample_rate:
            raise DataError(
                f"{audio!r} has {audio.sample_rate} Hz, but the featurizer's sample_rate is"
                f" {settings.sample_rate} Hz; let the reader resample it, or change sample_rate"
            )
        samples = audio.samples()
        if samples.ndim != 1 or not len(samples):
            raise DataError(f"{audio!r} has samples of shape {samples.shape}; wanted is (time,), time > 0")
        signal = np.zeros(max(len(samples), settings.window))
        signal[: len(samples)] = samples
        if not np.isfinite(signal).all():
            raise DataError(f"{audio!r} holds samples that are not finite numbers")
        return self._emphasised(self._dithered(signal, audio))

    @torch.inference_mode()
    def frames(self, signals: Sequence[Samples]) -> list[Frames]:
        """Return the frames of each signal, shape (frames, size); any grouping of signals gives the same."""
        if not signals:
            return []
        frame = self.settings.frame
        counts = [frame_count(len(signal), frame) for signal in signals]
        flat, firsts = _joined(signals, counts, frame)
        total = frame_count(len(flat), frame)
        features = np.empty((total, self.size), dtype=float32)
        for first in range(0, total, BLOCK_FRAMES):
            last = min(first + BLOCK_FRAMES, total)
            window = flat[first * frame.hop : (last - 1) * frame.hop + frame.window]
            features[first:last] = self._features(torch.from_numpy(window).to(self.device)).cpu().numpy()
        return [features[first : first + count] for first, count in zip(firsts, counts, strict=True)]

    def _features(self, signal: Tensor) -> Tensor:
        # All of it by torch: the threads of numpy's matrix products spin on, and slow those of torch.
        spectrum = self.backend.spectrum(signal, self.settings.frame)
        features = spectrum.real.square() + spectrum.imag.square()
        if self.settings.power == 1:
            features = features.sqrt()
        if self._bank is not None:
            features = features @ self._bank
        if self.settings.log_floor is not None:
            features = features.clamp(min=self.settings.log_floor).log()
        return features.float() if self._dct is None else (features @ self._dct).float()

    def _constant(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _mel_bank(self) -> Array:
        if (size := self.settings.n_mels * (self.settings.n_fft // 2 + 1)) > MAX_BANK:
            raise SeqlabError(
                f"n_mels: {self.settings.n_mels} bands for n_fft {self.settings.n_fft} are a filter bank of"
                f" {size:,} numbers, more than {MAX_BANK:,}; lower one of them"
            )
        bank = self.backend.mel_bank(self.settings.bands)
        empty = np.flatnonzero(~bank.any(axis=0))
        if len(empty):
            raise SeqlabError(
                f"n_mels: {self.settings.n_mels} bands are too many for n_fft {self.settings.n_fft}: no bin"
                f" of the spectrum falls into band {empty[0] + 1}; lower n_mels, or raise n_fft"
            )
        return bank

    def _dithered(self, signal: Array, audio: Audio) -> Array:
        if not self.settings.dither:
            return signal
        # Sound without a fingerprint is named by its samples here: no two get the same noise.
        name = audio.fingerprint or hashlib.blake2b(signal.tobytes()).hexdigest()
        noise = np.random.default_rng(derived_seed(0, "dither", name))
        return signal + self.settings.dither * noise.standard_normal(len(signal))

    def _emphasised(self, signal: Array) -> Array:
        """Take from each sample a share of the one before; before the first stands its own value."""
        if not self.settings.pre_emphasis:
            return signal
        before = np.concatenate((signal[:1], signal[:-1]))
        emphasised: Array = signal - self.settings.pre_emphasis * before
        return emphasised


def _joined(signals: Sequence[Samples], counts: Sequence[int], frame: Frame) -> tuple[Array, list[int]]:
    """Return the signals as one, so that one transform serves all, and the number of each one's first frame.

    Every signal starts at a multiple of the hop, and zeros keep the next one out of its last window. Frames
    between two signals' are of no use.
    """
    spare = -(-frame.window // frame.hop) - 1
    slots = np.cumsum([0, *(count + spare for count in counts)])
    flat = np.zeros(int(slots[-1]) * frame.hop)
    for signal, slot, count in zip(signals, slots, counts, strict=False):
        used = signal[: (count - 1) * frame.hop + frame.window]
        flat[slot * frame.hop :][: len(used)] = used
    return flat, slots[:-1].tolist()
