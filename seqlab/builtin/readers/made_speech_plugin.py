"""The built-in readers of speech that is made: `spoken_digits`, `joined_speech`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from seqlab.api import Component, Config, ReaderContext, hookimpl
from seqlab.builtin.readers.speech_plugin import (
    SpeechManifestConfig,
    build_speech,
    impossible_keys,
    skips_unchecked,
)

if TYPE_CHECKING:
    from seqlab.builtin.readers.joined_speech import JoinedReader
    from seqlab.builtin.readers.spoken_digits import SpokenDigitsReader

__all__ = ["JoinedSpeechConfig", "SpokenDigitsConfig", "seqlab_recipe_checked", "seqlab_register_readers"]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first number is the lower one, got [{bounds[0]:g}, {bounds[1]:g}]")
    return bounds


Bounds = AfterValidator(_ordered)
Pair = Field(strict=False)
"""Not strict, because a YAML list is no tuple."""

Count = Annotated[int, Field(ge=1)]
Speed = Annotated[int, Field(ge=80, le=450)]
Pitch = Annotated[int, Field(ge=0, le=99)]
Gain = Annotated[float, Field(ge=-60, le=20)]
SNR = Annotated[float, Field(ge=-20, le=100)]
Seconds = Annotated[float, Field(ge=0, le=60)]
Voice = Annotated[str, Field(min_length=1)]


class SpokenDigitsConfig(Config):
    """Digit strings (`three one four`) spoken by espeak-ng; needs `pip install "seqlab[speech]"`.

    A data file (`.digits`) holds lines such as `generate train 2000`: a name, and how many utterances are
    drawn under it; other names draw other utterances. Voices after the count take the place of `voices`. A
    line of digits, in words or figures, is one utterance. Pairs of numbers are bounds, both included.
    """

    voices: Annotated[tuple[Voice, ...], Field(strict=False, min_length=1)] = (
        "en",
        "en-us",
        "en-gb-scotland",
        "en-us+m3",
        "en-us+f2",
        "en+f3",
    )
    """Who speaks: files of espeak-ng's `lang`, alone or with a variant after a plus sign;
    `seqlab.audio.espeak.voices()` lists them."""
    digits: Annotated[tuple[Count, Count], Pair, Bounds] = (3, 7)
    """Digits in an utterance."""
    speed: Annotated[tuple[Speed, Speed], Pair, Bounds] = (120, 220)
    """Words a minute."""
    pitch: Annotated[tuple[Pitch, Pitch], Pair, Bounds] = (30, 70)
    """Pitch of the voice; 50 is its own."""
    gain: Annotated[tuple[Gain, Gain], Pair, Bounds] = (-12.0, 0.0)
    """dB on top of espeak-ng's own level."""
    snr: Annotated[tuple[SNR, SNR], Pair, Bounds] | None = (10.0, 40.0)
    """Level of the speech above that of white noise, dB; null: no noise."""
    sample_rate: int = Field(default=16_000, ge=1_000)
    """Samples per second, Hz."""
    seed: int = Field(default=1, ge=0)
    """Seed of the utterances; that of the training is `train.seed`."""


class JoinedSpeechConfig(SpeechManifestConfig):
    """Clips of a manifest, as reader `speech` takes it, joined by speaker into longer utterances.

    Pairs of numbers are bounds, both included. Which clips are joined follows from the seed and the manifest;
    `train.seed` does not matter.
    """

    clips: Annotated[tuple[Count, Count], Pair, Bounds] = (3, 7)
    """Clips in an utterance."""
    pause: Annotated[tuple[Seconds, Seconds], Pair, Bounds] = (0.05, 0.5)
    """Silence between two clips, seconds."""
    uses: int = Field(default=4, ge=1)
    """How many utterances each clip stands in; with the number of clips it gives that of utterances."""
    seed: int = Field(default=1, ge=0)
    """Seed of the joining."""


def build_spoken_digits(config: SpokenDigitsConfig, context: ReaderContext) -> SpokenDigitsReader:
    """Make the reader of generated digit strings."""
    from seqlab.builtin.readers.spoken_digits import Ranges, SpokenDigitsReader

    ranges = Ranges(
        voices=config.voices,
        digits=config.digits,
        speed=config.speed,
        pitch=config.pitch,
        gain=config.gain,
        snr=config.snr,
    )
    return SpokenDigitsReader(ranges, config.sample_rate, seed=config.seed)


def build_joined_speech(config: JoinedSpeechConfig, context: ReaderContext) -> JoinedReader:
    """Make the reader that joins the clips of manifests."""
    from seqlab.builtin.readers.joined_speech import JoinedReader, Joining

    joining = Joining(clips=config.clips, pause=config.pause, uses=config.uses)
    return JoinedReader(build_speech(config, context), joining, seed=config.seed)


@hookimpl
def seqlab_recipe_checked(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return what in a recipe `joined_speech` cannot do."""
    yield from skips_unchecked(recipe, {"joined_speech"})
    yield from impossible_keys(recipe, {"joined_speech"})


@hookimpl
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Register `spoken_digits` and `joined_speech`."""
    return (
        Component(
            name="spoken_digits",
            config=SpokenDigitsConfig,
            build=build_spoken_digits,
            summary="Digit strings spoken by espeak-ng: speech to learn from, generated",
        ),
        Component(
            name="joined_speech",
            config=JoinedSpeechConfig,
            build=build_joined_speech,
            summary="Clips of a manifest joined by speaker into longer utterances",
            skips=True,
        ),
    )
