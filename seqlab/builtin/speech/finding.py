"""What names sound at the command: files, folders of them, lists of paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from seqlab.api import DataError, Example, Place, Refuse, Take
from seqlab.audio import AudioFile
from seqlab.audio.folders import sounds_below
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.speech.fields import LISTS
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.utterances import ListedUtterance
from seqlab.textfile import file_name, is_standard_input

__all__ = ["sounds"]


def sounds(path: Path, take: Take, refuse: Refuse) -> Iterator[Example]:
    """Yield the examples that a path names, each made by `take`; DataError where there is none.

    JSON Lines and standard input (`-`) are lists of paths; a folder stands for all files below it that are
    named like sound, in the order of their names; the rest is sound. What cannot be used goes to `refuse`: a
    line of a list as well as a whole list, or the rest of one that breaks off.
    """
    try:
        if is_standard_input(path) or path.name.endswith(LISTS):
            yield from _listed(path, take, refuse)
        elif path.is_dir():
            yield from map(take, _below(path))
        else:
            yield take(path)
    except DataError as error:
        refuse(error)


def _below(folder: Path) -> list[Path]:
    found = sounds_below(folder)
    if not found:
        known = ", ".join(SUFFIXES)
        raise DataError(f"no sound in this folder; known endings are {known}", place=Place(str(folder)))
    return found


def _listed(path: Path, take: Take, refuse: Refuse) -> Iterator[Example]:
    empty = True
    for entry in ManifestLayout(Columns()).entries(path, labelled=False):
        empty = False
        found = entry if isinstance(entry, DataError) else _entry(entry, take)
        if isinstance(found, DataError):
            refuse(found)
        else:
            yield found
    if empty:
        raise DataError("no utterances", place=Place(file_name(path)))


def _entry(entry: ListedUtterance, take: Take) -> Example | DataError:
    example = take(entry.audio)
    fields = dict(example.fields)
    for name, audio in example.fields.items():
        if isinstance(audio, AudioFile):
            fields[name] = AudioFile(audio.source, entry.start, entry.end, audio.settings)
        elif entry.start or entry.end is not None:
            return DataError("this model's reader takes in no stretches of files", place=entry.place)
    return replace(example, fields=fields, place=entry.place, origin=entry.origin)
