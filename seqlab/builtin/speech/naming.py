"""What names a sound in the output, and what is written of it beside the answers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.api import Example
from seqlab.audio import AudioFile
from seqlab.builtin.speech.readers.manifests import stretch
from seqlab.builtin.speech.readers.utterances import AUDIO, Utterance

__all__ = ["sound_name", "sound_record"]


def sound_name(example: Example) -> str:
    """Return what names a sound: its path, with `#START-END` for a stretch of a file.

    Sound that has no file is named by the data file that lists it and its id there, or its place in it.
    """
    if audio := _file(example):
        return audio.source.name + stretch(audio.start or None, audio.end)
    if isinstance(example.origin, Utterance):
        return f"{example.place.file}#{example.origin.id}"
    return str(example.place)


def sound_record(example: Example, replaced: Iterable[str], folder: Path) -> dict[str, Any]:
    """Return the keys of a manifest in `folder`, for the reader `speech`, that say which sound this is.

    They are what else the sound's own manifest says, but for `replaced` keys, then `audio`, for a stretch of
    a file `start` and `end`. Sound that has no file has `id`, its name, in the place of `audio`.
    """
    where = _where(example, folder)
    origin = example.origin if isinstance(example.origin, Utterance) else Utterance("")
    ours = {*where, *replaced, "duration", "segments", "probability", origin.audio_key, origin.text_key}
    return {key: value for key, value in origin.record.items() if key not in ours} | where


def moved(example: Example, folder: Path) -> Example:
    """Return the example as a manifest in `folder` lists it: with the path of its sound from there."""
    origin, audio = example.origin, _file(example)
    if not isinstance(origin, Utterance) or audio is None or audio.source.path is None:
        return example
    if origin.audio_key not in origin.record:
        return example
    path = {origin.audio_key: _from_folder(audio.source.path, folder)}
    return replace(example, origin=replace(origin, record={**origin.record, **path}))


def _file(example: Example) -> AudioFile | None:
    return next((value for value in example.fields.values() if isinstance(value, AudioFile)), None)


def _where(example: Example, folder: Path) -> dict[str, Any]:
    """Return the keys by which a manifest in `folder` names a sound.

    A stretch has both ends: `duration`, which is rounded, would otherwise set the one that is open.
    """
    audio = _file(example)
    if audio is None or audio.source.path is None:
        return {"id": sound_name(example)}
    named: dict[str, Any] = {AUDIO: _from_folder(audio.source.path, folder)}
    if not audio.start and audio.end is None:
        return named
    end = audio.start + audio.duration if audio.end is None else audio.end
    return {**named, "start": audio.start, "end": end}


def _from_folder(path: Path, folder: Path) -> str:
    """Return a path as it is seen from `folder`; an absolute one stays so."""
    if path.is_absolute():
        return str(path)
    near = os.path.relpath(path, folder)
    try:
        # After a link to another folder, `..` leads elsewhere.
        same = path.samefile(folder / near)
    except OSError:
        same = False
    return near if same else str(path.absolute())
