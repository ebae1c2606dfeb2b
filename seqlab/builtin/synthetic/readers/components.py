"""The built-in readers of data made by rule: `copy_memory`, `spoken_digits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from seqlab.api import Component, Config, Declaration, ReaderContext
from seqlab.builtin.core.bounds import BOUNDS, PAIR

if TYPE_CHECKING:
    from seqlab.builtin.synthetic.readers.copy_memory import CopyMemoryReader
    from seqlab.builtin.synthetic.readers.spoken_digits import SpokenDigitsReader

__all__ = [
    "COMPONENTS",
    "CopyMemoryConfig",
    "SpokenDigitsConfig",
]


Count = Annotated[int, Field(ge=1)]
Speed = Annotated[int, Field(ge=80, le=450)]
Pitch = Annotated[int, Field(ge=0, le=99)]
Gain = Annotated[float, Field(ge=-60, le=20)]
SNR = Annotated[float, Field(ge=-20, le=100)]
Voice = Annotated[str, Field(min_length=1)]


class CopyMemoryConfig(Config):
    """The copy-memory task, generated: symbols to be said again after a lag (Arjovsky, Shah and Bengio 2016).

    A data file (`.copy`) holds lines such as `generate train 2000`: a name, and how many sequences are drawn
    under it; other names draw other sequences.
    """

    symbols: int = Field(default=8, ge=2)
    """Different symbols, named `a0`, `a1`, ...; the blank `_` and the signal `go` come on top."""
    length: int = Field(default=10, ge=1)
    """Symbols to remember in each sequence."""
    lag: int = Field(default=100, ge=1)
    """Rows between the symbols and their recall: each is asked for `length + lag` steps after it was read."""
    seed: int = Field(default=1, ge=0)
    """Seed of the sequences; that of the training is `train.seed`."""


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
    digits: Annotated[tuple[Count, Count], PAIR, BOUNDS] = (3, 7)
    """Digits in an utterance."""
    speed: Annotated[tuple[Speed, Speed], PAIR, BOUNDS] = (120, 220)
    """Words a minute."""
    pitch: Annotated[tuple[Pitch, Pitch], PAIR, BOUNDS] = (30, 70)
    """Pitch of the voice; 50 is its own."""
    gain: Annotated[tuple[Gain, Gain], PAIR, BOUNDS] = (-12.0, 0.0)
    """dB on top of espeak-ng's own level."""
    snr: Annotated[tuple[SNR, SNR], PAIR, BOUNDS] | None = (10.0, 40.0)
    """Level of the speech above that of white noise, dB; null: no noise."""
    sample_rate: int = Field(default=16_000, ge=1_000)
    """Samples per second, Hz."""
    seed: int = Field(default=1, ge=0)
    """Seed of the utterances; that of the training is `train.seed`."""


def build_copy_memory(config: CopyMemoryConfig, context: ReaderContext) -> CopyMemoryReader:
    """Make the reader of the configured task."""
    from seqlab.builtin.synthetic.readers.copy_memory import CopyMemoryReader

    return CopyMemoryReader(
        config.symbols, config.length, config.lag, seed=config.seed, refuse=context.refuse
    )


def build_spoken_digits(config: SpokenDigitsConfig, context: ReaderContext) -> SpokenDigitsReader:
    """Make the reader of generated digit strings."""
    from seqlab.builtin.synthetic.readers.spoken_digits import Ranges, SpokenDigitsReader

    ranges = Ranges(
        voices=config.voices,
        digits=config.digits,
        speed=config.speed,
        pitch=config.pitch,
        gain=config.gain,
        snr=config.snr,
    )
    return SpokenDigitsReader(ranges, config.sample_rate, seed=config.seed)


def _copy_memory_declared(config: CopyMemoryConfig) -> Declaration:
    return Declaration(fields={"tokens": "tokens", "copy": "labels"})


def _spoken_digits_declared(config: SpokenDigitsConfig) -> Declaration:
    return Declaration(fields={"audio": "audio", "text": "text"})


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="copy_memory",
        config=CopyMemoryConfig,
        build=build_copy_memory,
        declares=_copy_memory_declared,
        summary="The copy-memory task, generated: symbols to be said again after a long lag",
        skips=True,
    ),
    Component(
        name="spoken_digits",
        config=SpokenDigitsConfig,
        build=build_spoken_digits,
        declares=_spoken_digits_declared,
        summary="Digit strings spoken by espeak-ng: speech to learn from, generated",
    ),
)
