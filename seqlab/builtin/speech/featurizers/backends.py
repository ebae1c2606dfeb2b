"""What computes spectra, mel filter banks and cosine transforms: torch alone, or a library asked for by name.

All are asked for the same: a Hann window, no padding, HTK's mel scale without area normalisation, the
orthonormal cosine transform, all in float64. On 16-bit speech their log energies and their cepstral
coefficients then differ by less than AGREEMENT, spectra by nothing that a float32 can hold.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy import float64
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["AGREEMENT", "Backend", "BackendName", "Frame", "MelBands", "load_backend"]

AGREEMENT = 1e-4
"""Above the largest difference between any two backends' features, natural logarithms and MFCC.

It comes from the filter banks and cosine transforms of torchaudio, which are float32. Measured: 6e-5. torch
alone and librosa, which have these in float64, differed by nothing.
"""

Array: TypeAlias = NDArray[float64]

BackendName: TypeAlias = Literal["auto", "torchaudio", "librosa"]

MEL_SCALE, MEL_BREAK = 2595.0, 700.0
"""HTK's mel = 2595 log10(1 + Hz / 700) (Young et al. 2006, "The HTK Book")."""

CANNOT_IMPORT = (ImportError, OSError, RuntimeError)
"""What a library raises that is absent, broken, or built for another torch than the one it stands beside."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Lengths in samples: of the window, of the step between windows, and of the Fourier transform."""

    window: int
    hop: int
    n_fft: int

    @property
    def margins(self) -> tuple[int, int]:
        """Samples of the transform before and behind the window, in which the window is zero."""
        before = (self.n_fft - self.window) // 2
        return before, self.n_fft - self.window - before


@dataclass(frozen=True, kw_only=True)
class MelBands:
    """A filter bank: how many bands between which frequencies (Hz), for a spectrum of which transform."""

    count: int
    f_min: float
    f_max: float
    sample_rate: int
    n_fft: int


class Backend(Protocol):
    """What the features are computed with."""

    name: str
    versions: Mapping[str, str]
    """The libraries that the numbers depend on."""

    def spectrum(self, signal: Tensor, frame: Frame) -> Tensor:
        """Return the transform of each whole window, (windows, n_fft / 2 + 1); at least one fits in.

        The signal is float64, the transform complex128, and on the same device.
        """
        ...

    def mel_bank(self, bands: MelBands) -> Array:
        """Return the bands' weights, shape (n_fft / 2 + 1, bands)."""
        ...

    def dct(self, count: int, size: int) -> Array:
        """Return the first `count` rows of the orthonormal DCT-II of `size` points, transposed."""
        ...


class _Torch:
    """Transforms by torch; filter bank and cosine transform are their textbook formulas."""

    name = "torch"

    def __init__(self) -> None:
        self.versions: Mapping[str, str] = _versions("torch")

    def spectrum(self, signal: Tensor, frame: Frame) -> Tensor:
        spectrum: Tensor = torch.stft(
            functional.pad(signal, frame.margins),
            n_fft=frame.n_fft,
            hop_length=frame.hop,
            win_length=frame.window,
            window=torch.hann_window(frame.window, dtype=signal.dtype, device=signal.device),
            center=False,
            return_complex=True,
        )
        return spectrum.T

    def mel_bank(self, bands: MelBands) -> Array:
        mel = np.linspace(_mel(bands.f_min), _mel(bands.f_max), bands.count + 2)
        edges = MEL_BREAK * (10 ** (mel / MEL_SCALE) - 1)
        lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
        bins = np.arange(bands.n_fft // 2 + 1)[:, None] * (bands.sample_rate / bands.n_fft)
        rising = (bins - lower) / (centre - lower)
        falling = (upper - bins) / (upper - centre)
        bank: Array = np.maximum(0, np.minimum(rising, falling))
        return bank

    def dct(self, count: int, size: int) -> Array:
        angles = np.outer(np.arange(size) + 0.5, np.arange(count)) * (np.pi / size)
        matrix: Array = np.cos(angles) * np.sqrt(np.where(np.arange(count), 2, 1) / size)
        return matrix


def _mel(hertz: float) -> float:
    return MEL_SCALE * math.log10(1 + hertz / MEL_BREAK)


class _Torchaudio:
    name = "torchaudio"

    def __init__(self) -> None:
        import torchaudio.functional

        self._functional: Any = torchaudio.functional
        self.versions: Mapping[str, str] = _versions("torch", "torchaudio")

    def spectrum(self, signal: Tensor, frame: Frame) -> Tensor:
        spectrum: Tensor = self._functional.spectrogram(
            functional.pad(signal, frame.margins),
            pad=0,
            window=torch.hann_window(frame.window, dtype=signal.dtype, device=signal.device),
            n_fft=frame.n_fft,
            hop_length=frame.hop,
            win_length=frame.window,
            power=None,
            normalized=False,
            center=False,
        )
        return spectrum.T

    def mel_bank(self, bands: MelBands) -> Array:
        # torchaudio puts the last bin at sample_rate // 2, which is wrong for odd rates: with twice the rate
        # and twice the bins every bin stands where it should.
        bins = bands.n_fft // 2 + 1
        with _about_empty_bands_later():
            bank = self._functional.melscale_fbanks(
                n_freqs=2 * bins - 1,
                f_min=bands.f_min,
                f_max=bands.f_max,
                n_mels=bands.count,
                sample_rate=2 * bands.sample_rate,
                norm=None,
                mel_scale="htk",
            )
        weights: Array = bank[:bins].double().numpy()
        return weights

    def dct(self, count: int, size: int) -> Array:
        matrix: Array = self._functional.create_dct(count, size, norm="ortho").double().numpy()
        return matrix


class _Librosa:
    name = "librosa"

    def __init__(self) -> None:
        import librosa
        import scipy.fft

        # librosa loads its parts when they are first used, and a part may be the one that is broken.
        self._stft: Any = librosa.stft
        self._mel: Any = librosa.filters.mel
        # What librosa's own mfcc calls; to import that compiles for 30 seconds where it is done first.
        self._dct: Any = scipy.fft.dct
        self.versions: Mapping[str, str] = _versions("librosa", "numpy", "scipy")

    def spectrum(self, signal: Tensor, frame: Frame) -> Tensor:
        spectrum = self._stft(
            np.pad(signal.cpu().numpy(), frame.margins),
            n_fft=frame.n_fft,
            hop_length=frame.hop,
            win_length=frame.window,
            window="hann",
            center=False,
        )
        return torch.from_numpy(spectrum.T).to(signal.device)

    def mel_bank(self, bands: MelBands) -> Array:
        with _about_empty_bands_later():
            weights: Array = self._mel(
                sr=bands.sample_rate,
                n_fft=bands.n_fft,
                n_mels=bands.count,
                fmin=bands.f_min,
                fmax=bands.f_max,
                htk=True,
                norm=None,
                dtype=float64,
            ).T
        return weights

    def dct(self, count: int, size: int) -> Array:
        matrix: Array = self._dct(np.eye(size), type=2, norm="ortho")[:, :count]
        return matrix


LIBRARIES: Mapping[str, Callable[[], Backend]] = {"torchaudio": _Torchaudio, "librosa": _Librosa}


def load_backend(name: BackendName) -> Backend:
    """Return torch for `auto`, else the library named; a notice says where torch has to stand in for it."""
    if name == "auto":
        return _Torch()
    try:
        return LIBRARIES[name]()
    except CANNOT_IMPORT as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        message = "backend: %s cannot be imported (%s); torch computes the same features, to within %g"
        logging.getLogger(__name__).warning(message, name, reason, AGREEMENT)
        return _Torch()


def _versions(*distributions: str) -> dict[str, str]:
    return {name: version(name) for name in distributions}


class _about_empty_bands_later(warnings.catch_warnings):  # noqa: N801 - reads as what it does
    """Silence the warning about bands without a bin: `Spectra` refuses them with advice."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", UserWarning)
