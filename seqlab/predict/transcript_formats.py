"""What is written of transcripts: one sound and its transcript as a line of text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from seqlab.audio import AudioFile
from seqlab.builtin.speech.readers.manifests import stretch
from seqlab.builtin.speech.readers.utterances import AUDIO, Utterance
from seqlab.plugin.kinds import Example
from seqlab.predict.formats import tsv_line
from seqlab.predict.transcript import Segment, Transcript

__all__ = [
    "TranscriptWriter",
    "sound_name",
    "transcript_writer",
    "write_transcript_jsonl",
    "write_transcript_tsv",
]

TranscriptWriter = Callable[[Example, Transcript], str]
"""From a sound's example and its transcript to text, line ends included."""

SECONDS_DIGITS = 3
PROBABILITY_DIGITS = 4
"""Decimals that JSON holds of times in seconds and of probabilities."""


def transcript_writer(name: str, folder: Path) -> TranscriptWriter:
    """Return what writes the format that users call `jsonl` or `tsv` into a file in `folder`."""
    return partial(write_transcript_jsonl, folder=folder) if name == "jsonl" else write_transcript_tsv


def write_transcript_tsv(example: Example, transcript: Transcript) -> str:
    """Write the sound's name TAB its text, one column per text head."""
    return tsv_line((sound_name(example), *transcript.texts.values()), example)


def write_transcript_jsonl(example: Example, transcript: Transcript, folder: Path) -> str:
    """Write one line with one JSON object, a line of a manifest in `folder` for the reader `speech`.

    It holds what else the sound's own manifest says, then `audio`, for a stretch of a file `start` and `end`,
    and `text`, `probability`, `duration` and `segments`. Sound that has no file has `id`, its name, in the
    place of `audio`. With several text heads `texts` and `probabilities`, by the heads' targets, stand for
    two of them.
    """
    heard = {
        **_where(example, transcript, folder),
        **said(transcript),
        "duration": round(transcript.duration, SECONDS_DIGITS),
        "segments": [
            {"start": round(each.start, SECONDS_DIGITS), "end": round(each.end, SECONDS_DIGITS), **said(each)}
            for each in transcript.segments
        ],
    }
    origin = example.origin if isinstance(example.origin, Utterance) else Utterance("")
    replaced = {*heard, origin.audio_key, origin.text_key}
    kept = {key: value for key, value in origin.record.items() if key not in replaced}
    line = json.dumps({**kept, **heard}, ensure_ascii=False) + "\n"
    return line.encode(errors="backslashreplace").decode()  # names that are not UTF-8 as JSON escapes


def sound_name(example: Example) -> str:
    """Return what names a sound: its path, with `#START-END` for a stretch of a file.

    Sound that has no file is named by the data file that lists it and its id there, or its place in it.
    """
    if audio := _file(example):
        return audio.source.name + stretch(audio.start or None, audio.end)
    if isinstance(example.origin, Utterance):
        return f"{example.place.file}#{example.origin.id}"
    return str(example.place)


def _file(example: Example) -> AudioFile | None:
    return next((value for value in example.fields.values() if isinstance(value, AudioFile)), None)


def _where(example: Example, transcript: Transcript, folder: Path) -> dict[str, Any]:
    """Return the keys by which a manifest in `folder` names a sound.

    A stretch has both ends: `duration`, which is rounded, would otherwise set the one that is open.
    """
    audio = _file(example)
    if audio is None or audio.source.path is None:
        return {"id": sound_name(example)}
    named = {AUDIO: _from_folder(audio.source.path, folder)}
    if not audio.start and audio.end is None:
        return named
    end = audio.start + transcript.duration if audio.end is None else audio.end
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


def said(heard: Segment | Transcript) -> dict[str, Any]:
    """Return texts and rounded probabilities under the keys that JSON has for them."""
    sure = {name: round(value, PROBABILITY_DIGITS) for name, value in heard.probabilities.items()}
    if len(heard.texts) == 1:
        return {"text": heard.text, "probability": next(iter(sure.values()))}
    return {"texts": dict(heard.texts), "probabilities": sure}
