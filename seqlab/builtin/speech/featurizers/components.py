"""The built-in featurizers of sound: spectrograms, mel filter banks, cepstral coefficients."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from seqlab.api import (
    Component,
    Config,
    Declaration,
    FeaturizerContext,
    chosen_field,
)

if TYPE_CHECKING:
    from seqlab.api import Featurizer
    from seqlab.builtin.speech.featurizers.spectral import SpectralSettings

__all__ = [
    "COMPONENTS",
    "AudioConfig",
    "LogMelConfig",
    "MFCCConfig",
    "MelConfig",
    "SpectrogramConfig",
    "problems",
]

MS_PER_SECOND = 1000


class AudioConfig(Config):
    """How sound is cut into frames, and what becomes of the frames.

    A frame is computed from its own `window` and nothing else; there are `1 + (samples - window) // hop` of
    them, and one, filled up with zeros, of a sound shorter than a window. Then, in this order: deltas,
    normalisation, stacking.
    """

    field: str | None = None
    """Field of the examples whose sound is read; the reader's only one when null."""
    sample_rate: int = Field(default=16_000, ge=1)
    """Samples per second that the sound must have, Hz; nothing is resampled here."""
    window: float = Field(default=25.0, gt=0)
    """Length of a frame, ms; a Hann window is laid over it."""
    hop: float = Field(default=10.0, gt=0)
    """Time from the start of one frame to that of the next, ms; at most `window`."""
    n_fft: int | None = Field(default=None, ge=2)
    """Points of the Fourier transform, an even number; the next power of two of the window when null."""
    power: Literal[1, 2] = 2
    """Exponent of the magnitudes: 2 for energies, 1 for magnitudes."""
    log_floor: float = Field(default=1e-10, gt=0)
    """Energies (or magnitudes) below it are raised to it before the logarithm."""
    pre_emphasis: float = Field(default=0.97, ge=0, lt=1)
    """Share of the sample before that is taken away from each sample; 0 for none."""
    dither: float = Field(default=0.0, ge=0)
    """Standard deviation of the noise added to the samples (full scale is 1), the same in every run."""
    deltas: Literal[0, 1, 2] = 0
    """Derivatives appended to each frame: none, the first, the first and the second."""
    normalize: Literal["none", "utterance", "global"] = "global"
    """Mean 0 and variance 1 per feature: over the training split, or over each utterance's own frames."""
    stack: int = Field(default=1, ge=1)
    """Frames joined into one, each with those that follow it; the last one is repeated at the end."""
    stride: int = Field(default=1, ge=1)
    """Every how many-th frame is kept: `ceil(frames / stride)` are left."""
    backend: Literal["auto", "torchaudio", "librosa"] = "auto"
    """What computes the spectra; `auto` is torch alone, which also stands in for a library that is absent."""
    cache: bool = True
    """Keep spectra of the run's data on the disk, so that later runs read them (`seqlab cache`)."""

    @property
    def window_samples(self) -> int:
        """The window in samples."""
        return round(self.window * self.sample_rate / MS_PER_SECOND)

    @property
    def hop_samples(self) -> int:
        """The hop in samples."""
        return round(self.hop * self.sample_rate / MS_PER_SECOND)

    @property
    def fft_points(self) -> int:
        """The points of the Fourier transform."""
        return self.n_fft or 1 << (self.window_samples - 1).bit_length()

    @property
    def bands(self) -> int:
        """The features of a frame before derivatives and stacking, in which they repeat."""
        return self.fft_points // 2 + 1

    @property
    def frame_size(self) -> int:
        """The features of a frame in the end."""
        return self.bands * (1 + self.deltas) * self.stack

    @model_validator(mode="after")
    def _frames_are_possible(self) -> Self:
        window, hop = self.window_samples, self.hop_samples
        for name, samples, least in (("window", window, 2), ("hop", hop, 1)):
            if samples < least:
                value = f"{name}: {getattr(self, name):g} ms at {self.sample_rate} Hz are {samples} samples"
                raise ValueError(f"{value}; at least {least} are needed")
        if hop > window:
            raise ValueError(
                f"hop: {self.hop:g} ms would leave out sound between windows of {self.window:g} ms"
            )
        if self.fft_points < window:
            raise ValueError(f"n_fft: {self.n_fft} is less than the window, which has {window} samples")
        if self.fft_points % 2:
            raise ValueError(f"n_fft: {self.n_fft} is odd; choose an even number")
        return self


class SpectrogramConfig(AudioConfig):
    """The spectrum of each frame: `n_fft / 2 + 1` features."""

    pre_emphasis: float = Field(default=0.0, ge=0, lt=1)
    """Share of the sample before that is taken away from each sample; 0 for none."""
    log: bool = True
    """Take the natural logarithm."""

    @model_validator(mode="after")
    def _floor_has_a_logarithm(self) -> Self:
        # A resolved recipe holds all defaults, also that of a floor that nobody set.
        if not self.log and self.log_floor != type(self).model_fields["log_floor"].default:
            raise ValueError(f"log_floor: {self.log_floor:g} does nothing where log is false; leave it out")
        return self


class MelConfig(AudioConfig):
    """Frames whose spectra are gathered into bands of equal width on the mel scale.

    mel = 2595 log10(1 + Hz / 700), triangular filters of height 1 (Young et al. 2006, "The HTK Book").
    """

    n_mels: int = Field(default=40, ge=1)
    """Bands."""
    f_min: float = Field(default=20.0, ge=0)
    """Lower edge of the lowest band, Hz."""
    f_max: float | None = Field(default=None, gt=0)
    """Upper edge of the highest band, Hz; half the sample rate when null."""

    @property
    def upper_edge(self) -> float:
        """The upper edge of the highest band, Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def bands(self) -> int:
        """The bands of the filter bank."""
        return self.n_mels

    @model_validator(mode="after")
    def _bands_are_possible(self) -> Self:
        if self.upper_edge > self.sample_rate / 2:
            raise ValueError(
                f"f_max: {self.upper_edge:g} Hz is above half the sample rate, {self.sample_rate / 2:g} Hz"
            )
        if self.f_min >= self.upper_edge:
            raise ValueError(f"f_min: {self.f_min:g} Hz is not below f_max, {self.upper_edge:g} Hz")
        return self


class LogMelConfig(MelConfig):
    """The logarithms of a mel filter bank's energies: `n_mels` features, before deltas and stacking."""


class MFCCConfig(MelConfig):
    """Mel-frequency cepstral coefficients (Davis and Mermelstein 1980): `n_mfcc` features.

    The orthonormal discrete cosine transform (type II) of the logarithms of a mel filter bank's energies.
    """

    n_mfcc: int = Field(default=13, ge=1)
    """Coefficients kept, the first of which is the level; at most `n_mels`."""

    @property
    def bands(self) -> int:
        """The coefficients that are kept."""
        return self.n_mfcc

    @model_validator(mode="after")
    def _coefficients_are_possible(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc: {self.n_mfcc} coefficients cannot be had of {self.n_mels} bands (n_mels)"
            )
        return self


KINDS = ("audio",)
"""The kinds of field that these featurizers read."""


def _build(
    config: AudioConfig, context: FeaturizerContext, name: str, settings: SpectralSettings
) -> Featurizer:
    from seqlab.builtin.speech.featurizers.audio import AudioFeaturizer
    from seqlab.builtin.speech.featurizers.backends import load_backend
    from seqlab.builtin.speech.featurizers.feature_cache import FeatureCache
    from seqlab.builtin.speech.featurizers.frames import FrameSettings
    from seqlab.builtin.speech.featurizers.spectral import Spectra

    field = chosen_field(f"featurizer {name} reads", config.field, KINDS, context.fields)
    spectra = Spectra(settings, load_backend(config.backend), context.device)
    frames = FrameSettings(
        deltas=config.deltas, normalize=config.normalize, stack=config.stack, stride=config.stride
    )
    cache = FeatureCache(spectra.identity(), spectra.size) if config.cache else None
    return AudioFeaturizer(field, spectra, frames, cache)


def _spectral(config: AudioConfig) -> SpectralSettings:
    from seqlab.builtin.speech.featurizers.spectral import SpectralSettings

    return SpectralSettings(
        sample_rate=config.sample_rate,
        window=config.window_samples,
        hop=config.hop_samples,
        n_fft=config.fft_points,
        power=config.power,
        log_floor=config.log_floor,
        pre_emphasis=config.pre_emphasis,
        dither=config.dither,
    )


def _spectrogram(config: SpectrogramConfig, context: FeaturizerContext) -> Featurizer:
    settings = _spectral(config)
    return _build(
        config, context, "spectrogram", settings if config.log else replace(settings, log_floor=None)
    )


def _mel(config: MelConfig) -> SpectralSettings:
    return replace(_spectral(config), n_mels=config.n_mels, f_min=config.f_min, f_max=config.upper_edge)


def _log_mel(config: LogMelConfig, context: FeaturizerContext) -> Featurizer:
    return _build(config, context, "log_mel", _mel(config))


def _mfcc(config: MFCCConfig, context: FeaturizerContext) -> Featurizer:
    return _build(config, context, "mfcc", replace(_mel(config), n_mfcc=config.n_mfcc))


def _declared(config: AudioConfig) -> Declaration:
    return Declaration(field=config.field, kinds=KINDS, frames=True)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="mfcc",
        config=MFCCConfig,
        build=_mfcc,
        declares=_declared,
        summary="mel-frequency cepstral coefficients of sound",
    ),
    Component(
        name="log_mel",
        config=LogMelConfig,
        build=_log_mel,
        declares=_declared,
        summary="log energies of a mel filter bank (fbank)",
    ),
    Component(
        name="spectrogram",
        config=SpectrogramConfig,
        build=_spectrogram,
        declares=_declared,
        summary="the spectrum of each frame of sound",
    ),
)


def problems(recipe: Mapping[str, Any], readers: Container[str]) -> Iterable[tuple[str, str]]:
    """Return which featurizers want another rate than the reader's, where it is one of `readers`."""
    reader = recipe["data"]["reader"]
    if reader["name"] not in readers:
        return
    names = {component.name for component in COMPONENTS}
    for number, featurizer in enumerate(recipe["features"]):
        if featurizer["name"] in names and featurizer["sample_rate"] != reader["sample_rate"]:
            told = f"the reader brings all sound to {reader['sample_rate']} Hz"
            wanted = f"featurizer {featurizer['name']} wants {featurizer['sample_rate']} Hz"
            yield f"features.{number}.sample_rate", f"{wanted}, but {told}; give both the same sample_rate"
