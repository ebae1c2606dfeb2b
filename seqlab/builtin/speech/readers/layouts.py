"""Known ways of keeping a speech corpus on disk: a folder with texts beside the sound, LibriSpeech, Kaldi.

Common Voice is a manifest (`manifests.py`) with names of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqlab.api import DataError, Place
from seqlab.audio.containers import OTHER_SUFFIXES, conversion
from seqlab.audio.folders import is_named_like_sound, sounds_below
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.speech.readers.manifests import Columns
from seqlab.builtin.speech.readers.utterances import AUDIO, TEXT, ListedUtterance, Utterance
from seqlab.suggest import shortened
from seqlab.textfile import BOM, CR_TO_LF, byte_lines, decode

__all__ = ["COMMON_VOICE", "FolderLayout", "KaldiLayout", "LibriSpeechLayout"]

NO_TEXTS = ("._", "readme", "license", "licence", "copying", "notice", "changes", "changelog")
"""How the names of files begin that stand beside texts and are none of an utterance, in lower case."""

COMMON_VOICE = Columns(audio="path", text="sentence", speaker="client_id")


# --- a folder --------------------------------------------------------------------------------------------


class FolderLayout:
    """Sound files with their text beside them, in a file of the same stem: `a.wav` and `a.txt`.

    With `speaker="folder"`, the folder that a file lies in has its speaker's name.
    """

    suffixes: tuple[str, ...] = SUFFIXES

    def __init__(self, text_suffix: str = ".txt", speaker: Literal["folder"] | None = None) -> None:
        self.text_suffix = text_suffix
        self.speaker = speaker
        self._looked: set[Path] = set()

    def entries(self, path: Path, *, labelled: bool) -> Iterator[ListedUtterance | DataError]:
        """Yield the entry of a file, or of all the sound below a folder, in the order of the names."""
        files = sounds_below(path) if path.is_dir() else [path]
        for file in files:
            if file.name.lower().endswith(SUFFIXES):
                yield self._entry(file, labelled=labelled)
            elif file.name.lower().endswith(OTHER_SUFFIXES):
                yield DataError(f"not a format that is read; {conversion(str(file))}", place=Place(str(file)))
            else:
                allowed = f"name the sound files only, as in folder/*.wav; known are {', '.join(SUFFIXES)}"
                raise DataError(f"not the name of a sound file; {allowed}", place=Place(str(file)))
        if labelled:
            self._tell_texts_alone(path)

    def _tell_texts_alone(self, path: Path) -> None:
        """Warn, once of each folder, of the texts in it that belong to no sound: they may be notes, or lost.

        It is the folder given with all below it, or the one around a file, as files are named one by one.
        """
        folder = path if path.is_dir() else path.parent
        if folder in self._looked:
            return
        self._looked.add(folder)
        files = list(folder.rglob("*") if folder == path else folder.iterdir())
        stems = _stems(files)
        alone = [text.relative_to(folder) for text in self._texts(files) if self._stem(text) not in stems]
        if alone:
            named = shortened(str(Place(str(text))) for text in alone)
            logging.getLogger(__name__).warning(
                "%s: left out are texts without sound beside them, %d in all: %s", folder, len(alone), named
            )

    def _stem(self, text: Path) -> Path:
        """Return the path without the ending of texts, which may have two parts: `a.normalized.txt`."""
        return text.parent / text.name.removesuffix(self.text_suffix)

    def _texts(self, files: Iterable[Path]) -> list[Path]:
        named = (each for each in files if each.name.endswith(self.text_suffix))
        return sorted(each for each in named if not each.name.lower().startswith(NO_TEXTS) and each.is_file())

    def _entry(self, file: Path, *, labelled: bool) -> ListedUtterance | DataError:
        place = Place(str(file))
        text = None
        if labelled:
            beside = file.with_suffix(self.text_suffix)
            if not beside.is_file():
                return DataError(f"no text beside it; expected a file {beside.name}", place=place)
            try:
                raw = b"".join(byte_lines(beside))
                text = decode(raw.removeprefix(BOM), Place(str(beside), 1))
            except DataError as error:
                return error
        speaker = file.absolute().parent.name if self.speaker else None
        origin = Utterance(str(file), speaker, _record(str(file), speaker=speaker))
        return ListedUtterance(place=place, audio=file, text=text, origin=origin)


def _stems(files: Iterable[Path]) -> set[Path]:
    """Return the paths, without ending, of what is named like sound; a warning tells which is not read."""
    named = (file for file in files if file.name.lower().endswith(SUFFIXES + OTHER_SUFFIXES))
    return {file.with_suffix("") for file in named if not file.is_dir()}


# --- LibriSpeech -----------------------------------------------------------------------------------------


class LibriSpeechLayout:
    """LibriSpeech (Panayotov et al. 2015): `1089/134686/1089-134686.trans.txt`, a file per utterance beside.

    A line of the transcripts is an id, a space and the text; an id begins with the speaker's number. The
    sound is FLAC, or whatever else is there under the id's name.
    """

    suffixes: tuple[str, ...] = (".trans.txt",)

    def entries(self, path: Path, *, labelled: bool) -> Iterator[ListedUtterance | DataError]:
        """Yield the entries of a file of transcripts, or of all below a folder."""
        for file in _below(path, self.suffixes):
            if not file.name.endswith(self.suffixes):
                message = "not the name of transcripts of LibriSpeech, which end in .trans.txt"
                raise DataError(message, place=Place(str(file)))
            rows = list(_rows(file))
            for row in rows:
                yield self._entry(row, file.parent)
            yield from self._without_text(file, {row.key for row in rows})

    def _without_text(self, transcripts: Path, keys: Set[str]) -> Iterator[DataError]:
        """Yield an error for each sound of a chapter that its transcripts leave out."""
        prefix = transcripts.name.removesuffix(self.suffixes[0]) + "-"
        for sound in sorted(transcripts.parent.iterdir()):
            if sound.name.startswith(prefix) and is_named_like_sound(sound) and sound.stem not in keys:
                yield DataError(f"no line for it in {transcripts.name}", place=Place(str(sound)))

    def _entry(self, row: _Row, folder: Path) -> ListedUtterance | DataError:
        found = (folder / (row.key + suffix) for suffix in (".flac", *SUFFIXES))
        audio = next((path for path in found if path.is_file()), None)
        if audio is None:
            return DataError(f"no sound for {row.key!r}; expected {row.key}.flac beside it", place=row.place)
        speaker = row.key.partition("-")[0]
        origin = Utterance(row.key, speaker, _record(audio.name, id=row.key, speaker=speaker))
        return ListedUtterance(place=row.place, audio=audio, text=row.value, origin=origin)


# --- Kaldi -----------------------------------------------------------------------------------------------


class KaldiLayout:
    """A data folder of Kaldi: `wav.scp`, `text`, and where they are there `segments` and `utt2spk`.

    Each line is a key and its value. Paths in `wav.scp` start from its folder; commands (`... |`) do not run.
    """

    suffixes: tuple[str, ...] = ("wav.scp",)

    def entries(self, path: Path, *, labelled: bool) -> Iterator[ListedUtterance | DataError]:
        """Yield the utterances in the order of `segments`, or of `wav.scp` where there are none."""
        scp = path / "wav.scp" if path.is_dir() else path
        if scp.name != "wav.scp":
            raise DataError("a data folder of Kaldi is named by its wav.scp", place=Place(str(path)))
        wavs = _table(scp)
        texts = _table(scp.with_name("text")) if labelled else {}
        named = scp.with_name("utt2spk")
        speakers = _table(named) if named.is_file() else None
        segments = scp.with_name("segments")
        keys, used = set(), set()
        for row in _rows(segments) if segments.is_file() else wavs.values():
            keys.add(row.key)
            try:
                stretch = _segment(row) if segments.is_file() else (row.key, 0.0, None)
                used.add(stretch[0])
                text = _value(texts, row, "text") if labelled else None
                speaker = None if speakers is None else _value(speakers, row, "utt2spk")
                audio = _sound(wavs, row, stretch[0])
            except ValueError as error:
                yield DataError(str(error), place=row.place)
                continue
            _, start, end = stretch
            record = _record(audio, id=row.key, speaker=speaker, start=start or None, end=end)
            yield ListedUtterance(
                place=row.place,
                audio=scp.parent / audio,
                text=text,
                origin=Utterance(row.key, speaker, record),
                start=start,
                end=end,
            )
        where = "segments" if segments.is_file() else "wav.scp"
        for row in (row for key, row in texts.items() if key not in keys):
            yield DataError(f"utterance {row.key!r} has no sound: it is not in {where}", place=row.place)
        for row in (row for key, row in wavs.items() if segments.is_file() and key not in used):
            yield DataError(f"recording {row.key!r} has no utterance: it is not in segments", place=row.place)


def _segment(row: _Row) -> tuple[str, float, float | None]:
    """Return recording, start and end of a line of `segments`; an end below 0 is the recording's own."""
    parts = row.value.split()
    try:
        recording, start, end = parts[0], float(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        parts = []
    if len(parts) not in (3, 4):  # Kaldi allows a channel, which only telephone speech in SPHERE ever had
        raise ValueError(f"expected 'utterance recording start end' in seconds, got {row.key} {row.value}")
    if len(parts) == 4:
        raise ValueError(f"segment {row.key!r} names a channel, {parts[3]}; choose one by the key channel")
    return recording, start, None if end < 0 else end


def _value(table: Mapping[str, _Row], row: _Row, name: str) -> str:
    if row.key not in table:
        raise ValueError(f"utterance {row.key!r} is not in {name}")
    return table[row.key].value


def _sound(wavs: Mapping[str, _Row], row: _Row, recording: str) -> str:
    if recording not in wavs:
        raise ValueError(f"recording {recording!r} of {row.key!r} is not in wav.scp")
    path = wavs[recording].value
    if path.endswith("|"):
        raise ValueError(f"{recording!r} is a command ({path}), which is not run; write its output to a file")
    if not path:
        raise ValueError(f"{recording!r} has no path in wav.scp")
    return path


# --- lines of keys and values ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: a key, and what follows after white space."""

    key: str
    value: str
    place: Place


def _rows(file: Path) -> Iterator[_Row]:
    """Yield the rows of a table; DataError where a line may be several, which would be read as one."""
    for number, raw in enumerate(byte_lines(file), 1):
        place = Place(str(file), number)
        line = decode(raw.removeprefix(BOM) if number == 1 else raw, place).strip()
        if "\r" in line:
            raise DataError(f"holds a CR, which may be the end of a line; {CR_TO_LF}", place=place)
        if line:
            key, _, value = line.replace("\t", " ").partition(" ")
            yield _Row(key, value.strip(), place)


def _table(file: Path) -> dict[str, _Row]:
    table: dict[str, _Row] = {}
    for row in _rows(file):
        if (first := table.setdefault(row.key, row)) is not row:
            raise DataError(f"{row.key!r} is listed twice, first at {first.place}", place=row.place)
    return table


def _below(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the path, or all files of these endings below it where it is a folder."""
    if not path.is_dir():
        return [path]
    named = (file for file in path.rglob("*") if file.name.lower().endswith(suffixes))
    # Notes that macOS writes beside files begin so.
    return sorted(file for file in named if not file.name.startswith("._") and file.is_file())


def _record(audio: str, **facts: Any) -> dict[str, Any]:
    """Return what is known as a record that the reader `speech` could read."""
    return {AUDIO: audio, TEXT: ""} | {name: value for name, value in facts.items() if value is not None}
