"""What names sound to recognise: files, folders of them, lists of paths, and data as the reader has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from seqlab.api import DataError, Example, Place, Reader, ReaderContext
from seqlab.assembly import build_component
from seqlab.audio import AudioFile
from seqlab.audio.folders import is_named_like_sound, sounds_below
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.core.lines import file_name, is_standard_input
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.utterances import Entry
from seqlab.predict.recognizer import Recognizer, Refuse

__all__ = ["SoundFinder", "is_sound"]

LISTS = (".jsonl", ".jsonl.gz")
"""File-name endings of lists of paths, which have the format of the reader `speech`."""


def is_sound(path: Path) -> bool:
    """Return whether a name ends as those of sound files do."""
    return is_named_like_sound(path)


class SoundFinder:
    """Finds the examples behind the paths that a user gives; what cannot be used goes to `refuse`.

    That is a line of a list as well as a whole list, or the rest of one that breaks off, and a folder
    without sound.

    With `data=True` all is read by the recipe's reader. Otherwise JSON Lines and standard input (`-`) are
    lists of paths, whatever the reader; what else is named like the reader's data is read by it; a folder
    stands for all files below it that are named like sound, in the order of their names; the rest is sound.
    """

    def __init__(self, recognizer: Recognizer, refuse: Refuse, *, data: bool = False) -> None:
        assembly = recognizer.assembly
        self.recognizer = recognizer
        self.refuse = refuse
        self.data = data
        # One of its own: that of the assembly raises what it refuses.
        self.reader: Reader = build_component(
            assembly.registry, assembly.recipe.reader, ReaderContext(refuse)
        )

    def __call__(self, path: Path) -> Iterator[Example]:
        """Yield the examples that a path names."""
        try:
            yield from self._found(path)
        except DataError as error:
            self.refuse(error)

    def _found(self, path: Path) -> Iterator[Example]:
        """Yield the examples; DataError where there is none, or a list cannot be read."""
        listed = is_standard_input(path) or path.name.endswith(LISTS)
        if listed and not self.data:
            yield from self._listed(path)
        elif self.data or path.name.endswith(tuple(self.reader.suffixes)):
            yield from self.reader.read(path, labelled=False)
        elif path.is_dir():
            yield from self._below(path)
        else:
            yield self.recognizer.recording(path)

    def _below(self, folder: Path) -> Iterator[Example]:
        found = sounds_below(folder)
        if not found:
            known = ", ".join(SUFFIXES)
            raise DataError(f"no sound in this folder; known endings are {known}", place=Place(str(folder)))
        yield from map(self.recognizer.recording, found)

    def _listed(self, path: Path) -> Iterator[Example]:
        empty = True
        for entry in ManifestLayout(Columns()).entries(path, labelled=False):
            empty = False
            found = entry if isinstance(entry, DataError) else self._entry(entry)
            if isinstance(found, DataError):
                self.refuse(found)
            else:
                yield found
        if empty:
            raise DataError("no utterances", place=Place(file_name(path)))

    def _entry(self, entry: Entry) -> Example | DataError:
        example = self.recognizer.recording(entry.audio)
        fields = dict(example.fields)
        for name, audio in example.fields.items():
            if isinstance(audio, AudioFile):
                fields[name] = AudioFile(audio.source, entry.start, entry.end, audio.settings)
            elif entry.start or entry.end is not None:
                return DataError("this model's reader takes in no stretches of files", place=entry.place)
        return replace(example, fields=fields, place=entry.place, origin=entry.origin)
