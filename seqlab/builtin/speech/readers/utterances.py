"""What all speech readers share: from the entries of a layout to examples with sound and text, checked.

A layout knows where things stand (`manifests.py`, `layouts.py`) and yields a `ListedUtterance` for each
utterance, or the DataError that it has instead. Everything else is the same for all layouts and stands here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from seqlab.api import DataError, Example, Place
from seqlab.audio import AudioFile, AudioSamples, AudioSettings, Declared, Source
from seqlab.builtin.speech.readers.transcripts import Normalizer
from seqlab.textfile import file_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqlab.audio import Encoded

__all__ = ["AUDIO", "TEXT", "CorpusLayout", "ListedUtterance", "SpeechReader", "Utterance", "taken"]

AUDIO = "audio"
TEXT = "text"
LABEL = "label"
"""The fields of speech."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """The `Example.origin` of every speech reader: who says it, and what else the data says of it.

    `id` is unique in its file; `speaker` is None where nobody is named. `record` is what `write` gives back,
    with the sound's path under `audio_key`, where it has one, and what is said under `text_key`.
    """

    id: str
    speaker: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    audio_key: str = AUDIO
    text_key: str | None = TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedUtterance:
    """An utterance as a layout lists it: `start` and `end` in seconds of the file, None for its end."""

    place: Place
    audio: Path
    text: str | None
    origin: Utterance
    start: float = 0.0
    end: float | None = None
    declared: Declared | None = None


class CorpusLayout(Protocol):
    """A way in which sound and text are kept in files."""

    suffixes: tuple[str, ...]
    """File-name endings of what `entries` takes."""

    def entries(self, path: Path, *, labelled: bool) -> Iterator[ListedUtterance | DataError]:
        """Yield what a file lists, in order; an utterance that is not well told as the error it makes.

        What spoils the whole file is raised. Texts may be left out where the data is not `labelled`.
        """
        ...


class SpeechReader:
    """Reads a layout into examples with the field `audio`; their origin is an `Utterance`.

    The `annotations` are further fields, `text` and `label`, each with its key in records that are written; a
    label is read from there, too.

    With `check`, each sound is decoded and judged while it is read; without, when its samples are used, and
    only its header is read before. An utterance that cannot be used goes to `refuse`.
    """

    def __init__(
        self,
        layout: CorpusLayout,
        normalizer: Normalizer,
        settings: AudioSettings,
        *,
        annotations: Mapping[str, str] = MappingProxyType({TEXT: TEXT}),
        check: bool = True,
        refuse: Callable[[DataError], None],
    ) -> None:
        self.layout = layout
        self.suffixes = layout.suffixes
        self.normalizer = normalizer
        self.settings = settings
        self.check = check
        self.annotations = annotations
        self.fields: Mapping[str, str] = {AUDIO: "audio"} | {name: name for name in annotations}
        self.refuse = refuse

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the utterances of one file in order.

        Without labels nothing limits length or clipping: who asks for the text of an hour's sound, or of an
        overdriven one, shall have it.
        """
        reading = _Reading(self, labelled=labelled)
        empty = True
        for entry in self.layout.entries(path, labelled=labelled):
            empty = False
            found = entry if isinstance(entry, DataError) else reading.example(entry)
            if isinstance(found, DataError):
                self.refuse(found)
            else:
                yield found
        if empty:
            raise DataError("no utterances", place=Place(file_name(path)))

    def take(self, given: Any) -> Example:
        """Return the example of a sound that no data lists; see `taken`."""
        return taken(given, self.settings)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the utterance's record as one line of JSON with the text or class that is answered."""
        origin = example.origin
        assert isinstance(origin, Utterance), "examples are written by the reader that read them"
        told = {key: answers[field] for field, key in self.annotations.items() if field in answers}
        return json.dumps({**origin.record, **told}, ensure_ascii=False) + "\n"


def taken(given: Any, settings: AudioSettings) -> Example:
    """Return the example of a sound to answer: its path, bytes or open file, or samples with their rate.

    Samples are an array or a tensor, (time,) or (time, channels), and the rate is in Hz: `(samples, 16000)`.
    They are copied, so what holds them may be filled anew at once. Sound is taken in as readers do without
    labels. A path is opened when its samples are asked for, and only a path can be written back. TypeError
    for what is no sound. DataError where samples are no array of them, or a file object cannot be read.
    """
    audio: AudioFile | AudioSamples
    if isinstance(given, tuple):
        audio = AudioSamples(*_samples(given), unlabelled(settings))
        return Example({AUDIO: audio}, Place(audio.name))
    sound = _encoded(given)
    audio = AudioFile(sound, settings=unlabelled(settings))
    name = audio.source.name
    origin = Utterance(name, record={AUDIO: name}) if isinstance(sound, str | Path) else None
    return Example({AUDIO: audio}, Place(name), origin)


def _samples(given: tuple[Any, ...]) -> tuple[NDArray[Any], Any]:
    """Return samples, in memory of their own, and their rate; TypeError where that is not what is given."""
    # A view would not do: sounds wait for others in a window while their buffer may be filled anew.
    if len(given) != 2 or not hasattr(given[0], "ndim"):
        kinds = ", ".join(type(each).__name__ for each in given)
        raise TypeError(f"expected samples and their sample rate, (samples, 16000); got ({kinds})")
    samples, rate = given
    if hasattr(samples, "detach"):  # a tensor: torch need not be imported to know
        samples = samples.detach().cpu()
        samples = (samples.float() if str(samples.dtype) == "torch.bfloat16" else samples).numpy()
    return np.array(samples), rate


def _encoded(given: Any) -> Encoded:
    if hasattr(given, "ndim"):
        raise TypeError("samples need their sample rate: give both, (samples, 16000)")
    if isinstance(given, os.PathLike):
        return Path(given)
    if isinstance(given, bytearray | memoryview):
        return bytes(given)
    if isinstance(given, str | bytes) or hasattr(given, "read"):
        return cast("Encoded", given)
    wanted = "the path, the bytes or the open file of a sound, or samples with their rate"
    raise TypeError(f"expected {wanted}; got {type(given).__name__}")


def unlabelled(settings: AudioSettings) -> AudioSettings:
    """Return the settings for sound to recognise: what is too long or clipped for training passes."""
    return replace(settings, limits=replace(settings.limits, max_duration=None, max_clipped=1.0))


class _Reading:
    """One pass over a file: what has been seen in it, and the files that several utterances share."""

    def __init__(self, reader: SpeechReader, *, labelled: bool) -> None:
        self.settings = reader.settings if labelled else unlabelled(reader.settings)
        self.reader = reader
        self.labelled = labelled
        self.seen: dict[str, Place] = {}
        self.sources: dict[Path, Source] = {}

    def example(self, entry: ListedUtterance) -> Example | DataError:
        """Make the example, or the error that says why there is none."""
        first = self.seen.setdefault(entry.origin.id, entry.place)
        if first is not entry.place:
            message = f"utterance {entry.origin.id!r} is listed twice, first at {first}; ids must differ"
            return DataError(message, place=entry.place)
        try:
            told = self._told(entry) if self.labelled else {}
            fields = {AUDIO: self._audio(entry), **told}
        except DataError as error:
            return error
        return Example(fields, entry.place, entry.origin)

    def _told(self, entry: ListedUtterance) -> dict[str, Any]:
        """Return the text and the class, as far as the data has them."""
        fields = self.reader.fields
        text = {TEXT: self._text(entry)} if TEXT in fields else {}
        return text | {LABEL: _class(entry, self.reader.annotations[LABEL])} if LABEL in fields else text

    def _text(self, entry: ListedUtterance) -> str:
        try:
            return self.reader.normalizer(entry.text or "")
        except ValueError as error:
            raise DataError(str(error), place=entry.place) from error

    def _audio(self, entry: ListedUtterance) -> AudioFile:
        source = self.sources.get(entry.audio)
        if source is None:
            source = self.sources[entry.audio] = Source(entry.audio)
        audio = AudioFile(source, entry.start, entry.end, self.settings)
        try:
            audio.check_header(entry.declared)
            if self.reader.check:
                audio.check()
        except DataError as error:
            if str(entry.audio) == entry.place.file:
                raise
            raise DataError(str(error), place=entry.place) from error
        return audio


def _class(entry: ListedUtterance, key: str) -> str | None:
    """Return the class of an utterance, None where it has none; DataError where it is no name."""
    value = entry.origin.record.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise DataError(f"{key!r} must be a string or an integer, got {value!r}", place=entry.place)
    return None if value is None else str(value).strip() or None
