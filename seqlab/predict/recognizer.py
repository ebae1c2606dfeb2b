"""A trained model in use that hears: sounds in, transcripts out, in the order of the input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from seqlab.api import Audio, DataError, Example, Head, Place, SeqlabError
from seqlab.audio import UNLIMITED, AudioFile, AudioSamples, AudioSettings, Piece, pieces
from seqlab.audio.segments import LEAST_LONGEST
from seqlab.contract import Values
from seqlab.predict.agreement import Decode, Said
from seqlab.predict.lengths import longest_seen
from seqlab.predict.trained import TrainedModel, windows
from seqlab.predict.transcript import Heard, Transcript, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqlab.audio import Encoded

__all__ = ["MAX_SEGMENT", "Recognizer", "Refuse", "Samples", "SoundSource"]

MAX_SEGMENT = 20.0
"""Seconds of the longest piece that is recognised as a whole where nobody knows what training saw."""

WINDOW_SECONDS = 300.0
"""Seconds of sound that are collected before they are recognised: about two full batches."""

WINDOW_PIECES = 4_096
"""Pieces of sound that are collected at most, however short."""

Samples: TypeAlias = "NDArray[Any] | Tensor"
"""Samples (time,) or (time, channels); floating point with full scale at 1, or integers."""

SoundSource: TypeAlias = "Encoded | tuple[Samples, int]"
"""Where a sound comes from: a file, its path or its bytes; or samples and their rate in Hz."""

Refuse: TypeAlias = Callable[[DataError], None]
"""What is done with a sound that cannot be used: it raises the error, or takes note of it."""

Part: TypeAlias = tuple[Example, Piece | DataError]
"""A piece of an example's sound, or why there is none (any more)."""


def _raised(error: DataError) -> None:
    raise error


class Recognizer(TrainedModel):
    """A trained model that reads sound: sounds in, transcripts out; threads may share it.

    What is heard depends on the sound alone, never on what else is recognised with it, up to rounding. Sound
    is taken in as the recipe's reader does for training: its channel, its sample rate. Samples are copied
    then, so the array or tensor that holds them may be filled anew at once. What is longer than
    `max_segment` seconds, at least 1, is cut where it is quiet, in bounded memory; by default that is the
    attribute `max_segment`, the longest sound of the training. Pieces overlap where a cut is in no pause, and
    are joined where they agree; those that are silent by the reader's limits have no text. DataError where a
    sound cannot be read, or is silent as a whole; SeqlabError where the recipe's parts cannot make text of
    single sounds.
    """

    def __call__(
        self, sound: Encoded | Samples, sample_rate: int | None = None, *, max_segment: float | None = None
    ) -> Transcript:
        """Recognise one sound; samples need their `sample_rate` in Hz, files have their own.

        TypeError for what is no sound.
        """
        example = self.recording(sound, sample_rate)
        ((_, transcript),) = self.transcribe([example], max_segment=max_segment)
        return transcript

    def predict(self, sounds: Sequence[SoundSource], *, max_segment: float | None = None) -> list[Transcript]:
        """Recognise many sounds, each encoded or a pair of samples and sample rate."""
        return list(self.stream(sounds, max_segment=max_segment))

    def stream(
        self,
        sounds: Iterable[SoundSource],
        *,
        max_segment: float | None = None,
        window_seconds: float = WINDOW_SECONDS,
    ) -> Iterator[Transcript]:
        """Recognise a stream of any length in bounded memory, one transcript per sound, in order.

        `window_seconds`, more than 0, are collected before they are recognised, in batches by length.
        """
        if isinstance(sounds, str | os.PathLike | bytes | np.ndarray | Tensor) or hasattr(sounds, "read"):
            raise TypeError("expected many sounds, got one; call the recognizer with it")
        examples = (self._numbered(sound, number) for number, sound in enumerate(sounds))
        for _, transcript in self.transcribe(
            examples, max_segment=max_segment, window_seconds=window_seconds
        ):
            yield transcript

    def recording(self, sound: Encoded | Samples, sample_rate: int | None = None) -> Example:
        """Return the example that the recipe's reader makes of a sound; arguments as those of a call."""
        make = getattr(self.assembly.reader, "recording", None)
        if make is None:
            name = self.assembly.recipe.reader.name
            message = f"reader {name!r} takes in no single sound (it has no method recording)"
            raise SeqlabError(f"{message}; give it data in its own format")
        samples = isinstance(sound, np.ndarray | Tensor)
        if samples and sample_rate is None:
            raise TypeError("samples need their sample_rate")
        if not samples and sample_rate is not None:
            raise TypeError(f"sample_rate is for arrays; got {type(sound).__name__}")
        example: Example = make(_taken_in(sound), sample_rate)
        return example

    def transcribe(
        self,
        examples: Iterable[Example],
        *,
        max_segment: float | None = None,
        window_seconds: float = WINDOW_SECONDS,
        refuse: Refuse = _raised,
    ) -> Iterator[tuple[Example, Transcript]]:
        """Recognise a reader's examples, in order; the sound of each, as long as it may be, is decoded once.

        One that cannot be used goes to `refuse`; where that does not raise, it has no transcript.
        TypeError or ValueError where `max_segment` or `window_seconds` is no such number.
        """
        max_segment = self.max_segment if max_segment is None else max_segment
        _check_seconds("max_segment", max_segment, LEAST_LONGEST)
        _check_seconds("window_seconds", window_seconds)
        heard: list[Heard] = []
        for window in windows(self._parts(examples, max_segment), _seconds, window_seconds, WINDOW_PIECES):
            for example, answer in self._answered(window):
                if isinstance(answer, DataError):
                    heard = []
                    refuse(answer)
                    continue
                heard.append(answer)
                if answer.last:
                    yield example, joined(heard, self._decoders(example))
                    heard = []

    def _numbered(self, sound: SoundSource, number: int) -> Example:
        """Return the example of a sound of many, which has a number where it has no path."""
        if isinstance(sound, str | os.PathLike):
            return self.recording(sound)
        place = Place(f"sound {number}")
        try:
            samples, rate = sound if isinstance(sound, tuple) and len(sound) == 2 else (sound, None)
            example = self.recording(samples, rate)
        except DataError as error:
            raise DataError(str(error), place=place) from error
        except TypeError as error:
            raise TypeError(f"{place}: {error}") from error
        return replace(example, place=place)

    def _parts(self, examples: Iterable[Example], max_segment: float) -> Iterator[Part]:
        """Decode and cut the sounds one after another."""
        for example in examples:
            try:
                audio = _in_blocks(example.fields[self._field], str(example.place))
                for piece in pieces(audio, max_segment, overlap=self._overlap):
                    yield example, piece
            except DataError as error:
                yield example, _placed(error, example.place)

    def _answered(self, window: Sequence[Part]) -> Iterator[tuple[Example, Heard | DataError]]:
        """Answer the pieces of many sounds; silent ones are not the model's business."""
        field = self._field
        answers = self._said(
            [
                replace(example, fields={**example.fields, field: piece.audio})
                for example, piece in window
                if isinstance(piece, Piece) and not piece.silent
            ]
        )
        for example, piece in window:
            if isinstance(piece, DataError):
                yield example, piece
            elif piece.silent:  # it overlaps with nothing: there is nothing to agree on
                said = dict.fromkeys(self._texts, Said())
                yield example, Heard(piece.start, piece.end, said, piece.last)
            else:
                begin, length = piece.start - piece.before, piece.audio.duration
                said = {
                    name: replace(each, times=[begin + share * length for share in each.times])
                    for name, each in next(answers).items()
                }
                yield example, Heard(piece.start, piece.end, said, piece.last, piece.before, piece.after)

    def _said(self, examples: Sequence[Example]) -> Iterator[dict[str, Said]]:
        """Yield per example what the heads that answer text say, times as shares of its length."""
        answers = self.answers(examples)
        for number in range(len(examples)):
            yield {
                name: Said(each.ids[number], each.probabilities[number], each.positions[number])
                for name, each in answers.items()
                if name in self._texts
            }

    @cached_property
    def max_segment(self) -> float:
        """Seconds of the longest piece of sound that is recognised as a whole, unless a call says otherwise.

        It is the longest sound that the training saw, exceptions aside, as the package has it; at least 1.
        """
        seen = longest_seen(self.info, self._field)
        return MAX_SEGMENT if seen is None else min(max(seen, LEAST_LONGEST), WINDOW_SECONDS)

    @cached_property
    def _overlap(self) -> bool:
        """Whether pieces overlap: the package says how long sounds were, all heads when a unit is said."""
        modules = dict(self.model.named_heads())
        timed = all(hasattr(modules[name], "predict_aligned") for name in self._texts)
        return timed and longest_seen(self.info, self._field) is not None

    def _decoders(self, example: Example) -> dict[str, Decode]:
        """Return what spells the units of each text; a fault is told with the example."""

        def decoder(head: Head) -> Decode:
            return lambda ids: head.decode(Values(ids, [example]))

        return {name: decoder(self.assembly.heads[name]) for name in self._texts}

    @cached_property
    def _field(self) -> str:
        """The field that holds the sound; SeqlabError where the model reads others besides."""
        fields = {featurizer.field for featurizer in self.assembly.featurizers}
        if len(fields) > 1:
            named = ", ".join(sorted(fields))
            raise SeqlabError(f"the model reads several fields, which sounds alone do not have: {named}")
        return fields.pop()

    @cached_property
    def _texts(self) -> list[str]:
        """The targets of the heads that answer text; SeqlabError where there is none."""
        kinds = self.assembly.reader.fields
        texts = [target for target in self.assembly.heads if kinds[target] == "text"]
        if not texts:
            there = ", ".join(self.assembly.heads)
            raise SeqlabError(f"no head of the model answers text; its heads answer: {there}")
        return texts


def _seconds(part: Part) -> float:
    _, piece = part
    return piece.audio.duration if isinstance(piece, Piece) else 0.0


def _check_seconds(name: str, value: object, least: float = 0.0) -> None:
    allowed = f"at least {least:g}" if least else "more than 0"
    message = f"{name} must be a number of seconds, {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message)
    if not float(value) >= least or not value:  # not a number is not at least anything
        raise ValueError(message)


def _taken_in(sound: Any) -> Any:
    """Return a sound as readers take it, samples in memory of its own; TypeError where it is none."""
    # A view would not do: sounds wait for others in a window while their buffer may be filled anew.
    if isinstance(sound, Tensor):
        dtype = torch.float32 if sound.dtype == torch.bfloat16 else sound.dtype
        return sound.detach().to("cpu", dtype, copy=True).numpy()
    if isinstance(sound, np.ndarray):
        return np.array(sound)
    if isinstance(sound, os.PathLike):
        return os.fspath(sound)
    if isinstance(sound, bytearray | memoryview):
        return bytes(sound)
    if isinstance(sound, str | bytes) or hasattr(sound, "read"):
        return sound
    wanted = "the path, the bytes or the open file of a sound, or an array of samples"
    raise TypeError(f"expected {wanted}; got {type(sound).__name__}")


def _in_blocks(audio: Audio, name: str) -> AudioFile | AudioSamples:
    """Return a sound that can be decoded block by block; a plugin's own is held whole, by this name."""
    if isinstance(audio, AudioFile | AudioSamples):
        return audio
    return AudioSamples(audio.samples(), audio.sample_rate, AudioSettings(limits=UNLIMITED), name)


def _placed(error: DataError, place: Place) -> DataError:
    """Return the error with the place of the sound where it names another: its line in a manifest, say."""
    if error.place and error.place.file in (place.file, str(place)):
        return error
    return DataError(str(error), place=place)
