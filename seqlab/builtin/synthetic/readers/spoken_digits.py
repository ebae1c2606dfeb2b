"""Digit strings spoken by espeak-ng: speech to learn from where there is none, generated while it is read.

A data file (`.digits`) says which utterances there are, one line each (`# ...` is a comment):

    generate train 2000                        so many, drawn under this name
    generate test 300 en-gb-x-rp en-us+f4      the same, by these voices
    three one four                             one utterance, in words or digits: 3 1 4, 314

What is drawn follows from the seed, the settings and the NAME alone, so splits of other names hold other
utterances; how a line of digits is spoken follows from the seed, the settings and the digits.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.api import DataError, Example, Place, SeqlabError, did_you_mean
from seqlab.audio import AudioSettings
from seqlab.audio.espeak import check_voice, engine, speak
from seqlab.audio.resampling import RESAMPLER
from seqlab.builtin.speech.readers.utterances import AUDIO, TEXT, Utterance, taken
from seqlab.textfile import byte_lines, decode, file_name

__all__ = ["DIGITS", "Ranges", "SpokenDigits", "SpokenDigitsReader"]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

GENERATE = "generate"
COMMENT = "#"


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What utterances are drawn from, bounds included: each voice, number and rate is equally likely.

    `digits`: how many in one utterance; `speed`: words a minute; `pitch`: espeak-ng's, 0 to 99; `gain`: dB on
    top of espeak-ng's own level; `snr`: dB of the speech above the white noise, None for no noise.
    """

    voices: tuple[str, ...]
    digits: tuple[int, int]
    speed: tuple[int, int]
    pitch: tuple[int, int]
    gain: tuple[float, float]
    snr: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class SpokenDigits:
    """One utterance, made when its samples are asked for: an `seqlab.api.Audio`.

    `gain` and `snr` in dB, as in `Ranges`; `noise` is the seed of the noise.
    """

    text: str
    voice: str
    speed: int
    pitch: int
    gain: float
    snr: float | None
    noise: int
    sample_rate: int

    @cached_property
    def duration(self) -> float:
        """Length in seconds; to know it, the utterance is spoken once."""
        return len(self.samples()) / self.sample_rate

    @cached_property
    def fingerprint(self) -> str:
        """Names the samples: a hash of all settings and of what makes sound of them."""
        facts = repr((self, engine(), RESAMPLER))
        return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,); what would be beyond full scale is scaled down."""
        spoken = speak(
            self.text, voice=self.voice, speed=self.speed, pitch=self.pitch, sample_rate=self.sample_rate
        )
        mixed = spoken * ratio(self.gain)
        if self.snr is not None:
            drawn = np.random.default_rng(self.noise).standard_normal(len(mixed), dtype=np.float32)
            mixed += drawn * (ratio(-self.snr) * np.sqrt(np.mean(np.square(mixed))))
        peak = float(np.abs(mixed).max())
        return mixed / np.float32(max(1.0, peak))


def ratio(decibels: float) -> float32:
    """Return the factor on amplitudes that a level in dB stands for."""
    return np.float32(10 ** (decibels / 20))


class SpokenDigitsReader:
    """Makes utterances with the fields `audio` and `text`; the speaker of the `Utterance` is the voice.

    DataError where a line is of neither kind, a name is generated twice, or the file holds no utterance;
    SeqlabError where espeak-ng is missing or does not know a voice, from `read`: a model that learned from
    such data opens and answers without espeak-ng.
    """

    suffixes: tuple[str, ...] = (".digits",)
    fields: Mapping[str, str] = {AUDIO: "audio", TEXT: "text"}

    def __init__(self, ranges: Ranges, sample_rate: int, *, seed: int = 1) -> None:
        self.ranges = ranges
        self.sample_rate = sample_rate
        self.seed = seed

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the utterances of a file's lines in order; nothing is spoken before its samples are used."""
        self._check_voices()
        file = file_name(path)
        names: dict[str, Place] = {}
        empty = True
        for number, raw in enumerate(byte_lines(path), 1):
            place = Place(file, number)
            words = decode(raw, place).split()
            if not words or words[0].startswith(COMMENT):
                continue
            empty = False
            drawn = self._drawn(words, place, names) if words[0] == GENERATE else self._said(words, place)
            for name, audio in drawn:
                text = {TEXT: audio.text} if labelled else {}
                yield Example({AUDIO: audio, **text}, place, Utterance(name, audio.voice, {TEXT: audio.text}))
        if empty:
            raise DataError("no utterances", place=Place(file))

    def take(self, given: Any) -> Example:
        """Return the example of a sound that was not generated; see `utterances.taken`."""
        return taken(given, AudioSettings(sample_rate=self.sample_rate))

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the line of the digits that are answered; DataError where the answer holds anything else."""
        text: str = answers[TEXT] if TEXT in answers else example.origin.record[TEXT]
        if not set(text.split()) <= set(DIGITS) or not text.strip():
            message = f"{text!r} cannot be written as a line of digits; choose jsonl"
            raise DataError(message, place=example.place)
        return text + "\n"

    def _check_voices(self) -> None:
        """Raise SeqlabError where espeak-ng is missing, or knows one of the settings' voices not."""
        engine()
        for voice in self.ranges.voices:
            try:
                check_voice(voice)
            except SeqlabError as error:
                raise SeqlabError(f"voices: {error}") from error

    def _drawn(
        self, words: Sequence[str], place: Place, names: dict[str, Place]
    ) -> Iterator[tuple[str, SpokenDigits]]:
        """Yield name and sound of what a line `generate NAME COUNT VOICES` stands for."""
        _, name, count, *voices = words if len(words) > 2 else [*words, "", ""][:3]
        if not (count.isascii() and count.isdigit() and int(count)):
            wanted = f"'{GENERATE} NAME COUNT' with a count of at least 1, and voices where they are special"
            raise DataError(f"expected {wanted}, got {' '.join(words)!r}", place=place)
        if names.setdefault(name, place) is not place:
            message = (
                f"{name!r} is generated twice, first at {names[name]}; other names give other utterances"
            )
            raise DataError(message, place=place)
        for voice in voices:
            try:
                check_voice(voice)
            except SeqlabError as error:
                raise DataError(str(error), place=place) from error
        # A text as seed gives the same numbers in every version of Python.
        generator = random.Random(f"{self.seed} {name}")
        for number in range(int(count)):
            said = generator.choices(DIGITS, k=generator.randint(*self.ranges.digits))
            yield f"{name}-{number}", self._spoken(said, tuple(voices) or self.ranges.voices, generator)

    def _said(self, words: Sequence[str], place: Place) -> Iterator[tuple[str, SpokenDigits]]:
        """Yield name and sound of a line of digits."""
        said = [digit for word in words for digit in self._digits(word, place)]
        generator = random.Random(f"{self.seed} say {' '.join(said)}")
        yield f"line-{place.line}", self._spoken(said, self.ranges.voices, generator)

    def _digits(self, word: str, place: Place) -> Sequence[str]:
        if word.isascii() and word.isdigit():
            return [DIGITS[int(sign)] for sign in word]
        if word not in DIGITS:
            allowed = f"{DIGITS[0]} to {DIGITS[-1]}, 0 to 9, or a line '{GENERATE} NAME COUNT'"
            hint = did_you_mean(word, (*DIGITS, GENERATE))
            raise DataError(f"unknown digit {word!r}{hint}; allowed are {allowed}", place=place)
        return [word]

    def _spoken(self, said: Sequence[str], voices: Sequence[str], generator: random.Random) -> SpokenDigits:
        ranges = self.ranges
        return SpokenDigits(
            text=" ".join(said),
            voice=generator.choice(voices),
            speed=generator.randint(*ranges.speed),
            pitch=generator.randint(*ranges.pitch),
            gain=generator.uniform(*ranges.gain),
            snr=generator.uniform(*ranges.snr) if ranges.snr else None,
            noise=generator.getrandbits(32),
            sample_rate=self.sample_rate,
        )
