"""Sound files that augmenters take noise and impulse responses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.api import FilePath, SeqlabError
from seqlab.audio import UNLIMITED, AudioFile, AudioSettings
from seqlab.audio.decoding import Source
from seqlab.audio.folders import sounds_below
from seqlab.audio.settings import SUFFIXES

__all__ = ["find_recordings"]

FAINTEST = replace(UNLIMITED, min_level=-180.0)
"""Refuses what is silent for any purpose: the smallest step of 24 bits is a level of -144 dB."""


def find_recordings(paths: Sequence[FilePath], user: str) -> list[Source]:
    """Return the files named, and those in folders with all below them, sorted.

    `user` is who looks for them, in messages: SeqlabError where there are none, DataError for the first of
    them that is no sound, damaged anywhere, or silent. All are decoded for that, in constant memory.
    """
    found = [file for path in paths for file in _files(path.local)]
    if not found:
        endings = ", ".join(SUFFIXES)
        raise SeqlabError(f"{user}: no sound file in {', '.join(paths)}; in a folder these count: {endings}")
    sources = [Source(file) for file in found]
    for source in sources:
        # All of them, to the end: a run must not find out in its third hour that one is broken.
        AudioFile(source, settings=AudioSettings(limits=FAINTEST)).check()
    return sources


def _files(path: Path) -> list[Path]:
    return sounds_below(path) if path.is_dir() else [path]
