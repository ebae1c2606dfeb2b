"""What all speech readers share: from the entries of a layout to examples with sound and text, checked.

A layout knows where things stand (`manifests.py`, `speech_layouts.py`) and yields an `Entry` for each
utterance, or the DataError that it has instead. Everything else is the same for all layouts and stands here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from seqlab.api import DataError, Example, FieldKind, Place
from seqlab.audio import AudioFile, AudioSamples, AudioSettings, Declared, Source
from seqlab.builtin.core.lines import file_name
from seqlab.builtin.speech.readers.transcripts import Normalizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqlab.audio import Encoded

__all__ = ["AUDIO", "TEXT", "Entry", "Layout", "SpeechReader", "Utterance", "recording"]

AUDIO = "audio"
TEXT = "text"
"""The fields of speech."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """The `Example.origin` of every speech reader: who says it, and what else the data says of it.

    `id` is unique in its file; `speaker` is None where nobody is named. `record` is what `write` gives back,
    with the sound's path under `audio_key`, where it has one, and the text under `text_key`.
    """

    id: str
    speaker: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    audio_key: str = AUDIO
    text_key: str = TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An utterance as a layout lists it: `start` and `end` in seconds of the file, None for its end."""

    place: Place
    audio: Path
    text: str | None
    origin: Utterance
    start: float = 0.0
    end: float | None = None
    declared: Declared | None = None


class Layout(Protocol):
    """A way in which sound and text are kept in files."""

    suffixes: tuple[str, ...]
    """File-name endings of what `entries` takes."""

    def entries(self, path: Path, *, labelled: bool) -> Iterator[Entry | DataError]:
        """Yield what a file lists, in order; an utterance that is not well told as the error it makes.

        What spoils the whole file is raised. Texts may be left out where the data is not `labelled`.
        """
        ...


class SpeechReader:
    """Reads a layout into examples with the fields `audio` and `text`; their origin is an `Utterance`.

    With `check`, each sound is decoded and judged while it is read; without, when its samples are used, and
    only its header is read before. An utterance that cannot be used goes to `refuse`.
    """

    fields: Mapping[str, FieldKind] = {AUDIO: "audio", TEXT: "text"}

    def __init__(
        self,
        layout: Layout,
        normalizer: Normalizer,
        settings: AudioSettings,
        *,
        check: bool = True,
        refuse: Callable[[DataError], None],
    ) -> None:
        self.layout = layout
        self.suffixes = layout.suffixes
        self.normalizer = normalizer
        self.settings = settings
        self.check = check
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

    def recording(self, sound: Encoded | NDArray[Any], sample_rate: int | None = None) -> Example:
        """Return the example of a sound that no data lists; see `recording`."""
        return recording(sound, sample_rate, self.settings)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the utterance's record as one line of JSON with the text that is answered."""
        origin = example.origin
        assert isinstance(origin, Utterance), "examples are written by the reader that read them"
        told = {origin.text_key: answers[TEXT]} if TEXT in answers else {}
        return json.dumps({**origin.record, **told}, ensure_ascii=False) + "\n"


def recording(sound: Encoded | NDArray[Any], sample_rate: int | None, settings: AudioSettings) -> Example:
    """Return the example of a sound to recognise: encoded, or samples, which need their rate in Hz.

    It is taken in as readers do without labels. A path is opened when its samples are asked for, and only a
    path can be written back. DataError where samples are no array of them, or a file object cannot be read.
    """
    audio: AudioFile | AudioSamples
    if sample_rate is None:
        audio = AudioFile(cast("Encoded", sound), settings=unlabelled(settings))
        name = audio.source.name
    else:
        audio = AudioSamples(cast("NDArray[Any]", sound), sample_rate, unlabelled(settings))
        name = audio.name
    origin = Utterance(name, record={AUDIO: name, TEXT: ""}) if isinstance(sound, str | Path) else None
    return Example({AUDIO: audio}, Place(name), origin)


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

    def example(self, entry: Entry) -> Example | DataError:
        """Make the example, or the error that says why there is none."""
        first = self.seen.setdefault(entry.origin.id, entry.place)
        if first is not entry.place:
            message = f"utterance {entry.origin.id!r} is listed twice, first at {first}; ids must differ"
            return DataError(message, place=entry.place)
        try:
            text = {TEXT: self._text(entry)} if self.labelled else {}
            fields = {AUDIO: self._audio(entry), **text}
        except DataError as error:
            return error
        return Example(fields, entry.place, entry.origin)

    def _text(self, entry: Entry) -> str:
        try:
            return self.reader.normalizer(entry.text or "")
        except ValueError as error:
            raise DataError(str(error), place=entry.place) from error

    def _audio(self, entry: Entry) -> AudioFile:
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
