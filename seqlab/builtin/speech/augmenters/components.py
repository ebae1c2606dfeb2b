"""The built-in augmenters: `speed`, `noise`, `gain` and `reverb` of sound, `spec_augment` of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from seqlab.api import AugmenterContext, Component, Config, Declaration, FilePath
from seqlab.builtin.core.bounds import BOUNDS, PAIR

if TYPE_CHECKING:
    from seqlab.api import Augmenter
    from seqlab.builtin.speech.augmenters.noise import NoiseSource
    from seqlab.builtin.speech.augmenters.reverb import Responses

__all__ = [
    "COMPONENTS",
    "GainConfig",
    "NoiseConfig",
    "ReverbConfig",
    "SpecAugmentConfig",
    "SpeedConfig",
    "problems",
]


Level: TypeAlias = Annotated[float, Field(ge=-60, le=100)]

Levels: TypeAlias = Annotated[tuple[Level, Level], PAIR, BOUNDS]
"""Lowest and highest level in dB; what lies between is equally likely."""

Duration: TypeAlias = Annotated[float, Field(gt=0, le=10)]

Durations: TypeAlias = Annotated[tuple[Duration, Duration], PAIR, BOUNDS]
"""Shortest and longest time in seconds; what lies between is equally likely."""

Probability: TypeAlias = Annotated[float, Field(gt=0, le=1)]

Files: TypeAlias = Annotated[tuple[FilePath, ...], Field(strict=False)]

REVERBERATION = (0.1, 0.5)
"""Seconds until the reverberation of small to middle-sized rooms has fallen by 60 dB."""

DIRECT = (0.0, 15.0)
"""dB of the direct sound above the reverberation, from far away to near."""


class SpeedConfig(Config):
    """Sound played faster or slower, pitch and all (Ko et al. 2015).

    Factor f makes about n / f samples of n, by resampling.
    """

    factors: Annotated[
        tuple[Annotated[float, Field(ge=0.5, le=2)], ...], Field(strict=False, min_length=1)
    ] = (0.9, 1.0, 1.1)
    """Factors, each equally likely; 1 leaves the sound as it is."""
    continuous: bool = False
    """Draw from all that lies between the smallest and the largest factor, not just from those listed."""

    @model_validator(mode="after")
    def _something_lies_between(self) -> Self:
        if self.continuous and len(set(self.factors)) == 1:
            only = f"factors: nothing lies between {self.factors[0]:g} and itself"
            raise ValueError(f"{only}; with continuous at least two that differ are needed")
        return self


class NoiseConfig(Config):
    """Noise added to sound: made, with a spectrum that falls by a power of the frequency, or from files.

    The sound keeps its level and nothing is clipped: samples may go beyond full scale.
    """

    snr: Levels = (5.0, 30.0)
    """Lowest and highest ratio of the sound's energy to that of the noise, dB."""
    exponent: Annotated[float, Field(ge=-2, le=4)] | None = None
    """Power density falls as 1 / frequency^exponent: 0 is white noise (so is null), 1 pink, 2 brown."""
    files: Files = ()
    """Sound files of noise, and folders of them; a stretch is chosen at random, one too short is repeated."""
    probability: Probability = 1.0
    """Share of utterances that noise is added to."""

    @model_validator(mode="after")
    def _of_one_origin(self) -> Self:
        if self.files and self.exponent is not None:
            raise ValueError("exponent: noise from files has a spectrum of its own; leave out one of the two")
        return self


class GainConfig(Config):
    """Sound made louder or softer. Nothing is clipped: samples may go beyond full scale."""

    gain: Levels = (-10.0, 6.0)
    """Lowest and highest gain, dB."""
    probability: Probability = 1.0
    """Share of utterances that are changed."""


class ReverbConfig(Config):
    """Sound as in a room: convolved with an impulse response that is made, or read from files.

    A made one is the direct sound, then white noise that decays exponentially. Length, level and the time of
    the direct sound stay.
    """

    rt60: Durations | None = None
    """Shortest and longest time in which the reverberation falls by 60 dB, seconds; [0.1, 0.5] when null."""
    direct: Levels | None = None
    """Lowest and highest level of the direct sound over the reverberation, dB; [0, 15] when null."""
    files: Files = ()
    """Sound files of impulse responses, and folders of them, one response each, used instead of made ones."""
    probability: Probability = 1.0
    """Share of utterances that are changed."""

    @model_validator(mode="after")
    def _of_one_origin(self) -> Self:
        for name in ("rt60", "direct"):
            if self.files and getattr(self, name) is not None:
                raise ValueError(f"{name}: responses from files have their own; leave out one of the two")
        return self


class SpecAugmentConfig(Config):
    """Stretches of time and of frequency masked (Park et al. 2019, "SpecAugment"); no time warping.

    A mask's width is drawn evenly from 0 to the largest allowed, then its place. Masks may overlap.
    """

    time_masks: int = Field(default=2, ge=0)
    """Masks over time."""
    time_mask: int = Field(default=40, ge=0)
    """Most frames that one of them covers."""
    time_share: float = Field(default=0.2, ge=0, le=1)
    """Largest share of the utterance that one of them covers."""
    freq_masks: int = Field(default=2, ge=0)
    """Masks over frequency."""
    freq_mask: int | None = Field(default=None, ge=0)
    """Most bands that one of them covers, at most all; as many as `freq_share` allows when null."""
    freq_share: float = Field(default=0.3, ge=0, le=1)
    """Largest share of the bands that one of them covers."""
    bands: int | None = Field(default=None, ge=1)
    """Bands of a frame before derivatives and stacking, in which they repeat; all its features when null."""
    value: Literal["zero", "mean"] = "zero"
    """What masks hold: 0, the mean of features normalised over the data, or each feature's own mean."""
    probability: Probability = 1.0
    """Share of utterances that are changed."""

    @model_validator(mode="after")
    def _masks_fit_the_bands(self) -> Self:
        if self.bands is not None and self.freq_mask is not None and self.freq_mask > self.bands:
            raise ValueError(
                f"freq_mask: must be at most the number of bands, {self.bands}, got {self.freq_mask}"
            )
        return self


def _speed(config: SpeedConfig, context: AugmenterContext) -> Augmenter:
    from seqlab.builtin.speech.augmenters.speed import Speed

    return Speed(config.factors, continuous=config.continuous)


def _noise(config: NoiseConfig, context: AugmenterContext) -> Augmenter:
    from seqlab.builtin.speech.augmenters.noise import ColouredNoise, Noise, RecordedNoise

    source: NoiseSource = (
        RecordedNoise(config.files) if config.files else ColouredNoise(config.exponent or 0.0)
    )
    return Noise(source, snr=config.snr, probability=config.probability)


def _gain(config: GainConfig, context: AugmenterContext) -> Augmenter:
    from seqlab.builtin.speech.augmenters.gain import Gain

    return Gain(config.gain, probability=config.probability)


def _reverb(config: ReverbConfig, context: AugmenterContext) -> Augmenter:
    from seqlab.builtin.speech.augmenters.reverb import DecayingNoise, RecordedResponses, Reverb

    responses: Responses = (
        RecordedResponses(config.files)
        if config.files
        else DecayingNoise(config.rt60 or REVERBERATION, config.direct or DIRECT)
    )
    return Reverb(responses, probability=config.probability)


def _spec_augment(config: SpecAugmentConfig, context: AugmenterContext) -> Augmenter:
    from seqlab.builtin.speech.augmenters.spec_augment import Masks, SpecAugment

    return SpecAugment(
        time=Masks(count=config.time_masks, widest=config.time_mask, share=config.time_share),
        frequency=Masks(count=config.freq_masks, widest=config.freq_mask, share=config.freq_share),
        bands=config.bands,
        value=config.value,
        probability=config.probability,
    )


def problems(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return which settings of these augmenters do not fit the frames that they change."""
    if not recipe.get("augment"):
        return ()  # and nothing to import for it
    from seqlab.builtin.speech.augmenters.checks import misfits

    return misfits(recipe)


def _sound_declared(config: Config) -> Declaration:
    return Declaration(stage="audio", keeps_length=True)


def _speed_declared(config: SpeedConfig) -> Declaration:
    return Declaration(stage="audio", keeps_length={*config.factors} == {1.0})


def _frames_declared(config: SpecAugmentConfig) -> Declaration:
    return Declaration(stage="features", keeps_length=True)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="speed",
        config=SpeedConfig,
        build=_speed,
        declares=_speed_declared,
        summary="sound played faster or slower",
    ),
    Component(
        name="noise",
        config=NoiseConfig,
        build=_noise,
        declares=_sound_declared,
        summary="noise added to sound",
    ),
    Component(
        name="gain",
        config=GainConfig,
        build=_gain,
        declares=_sound_declared,
        summary="sound made louder or softer",
    ),
    Component(
        name="reverb",
        config=ReverbConfig,
        build=_reverb,
        declares=_sound_declared,
        summary="sound as in a room",
    ),
    Component(
        name="spec_augment",
        config=SpecAugmentConfig,
        build=_spec_augment,
        declares=_frames_declared,
        summary="stretches of time and frequency masked",
    ),
)
