"""What is written of transcripts: `TRANSCRIPT_WRITERS` turns one sound and its transcript into text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from seqlab.audio import AudioFile
from seqlab.builtin.readers.manifests import stretch
from seqlab.builtin.readers.utterances import Utterance
from seqlab.plugin.kinds import Example
from seqlab.predict.formats import tsv_line
from seqlab.predict.transcript import Segment, Transcript

__all__ = [
    "TRANSCRIPT_WRITERS",
    "TranscriptWriter",
    "sound_name",
    "write_transcript_jsonl",
    "write_transcript_tsv",
]

TranscriptWriter = Callable[[Example, Transcript], str]
"""From a sound's example and its transcript to text, line ends included."""

SECONDS_DIGITS = 3
PROBABILITY_DIGITS = 4
"""Decimals that JSON holds of times in seconds and of probabilities."""


def write_transcript_tsv(example: Example, transcript: Transcript) -> str:
    """Write the sound's name TAB its text, one column per text head."""
    return tsv_line((sound_name(example), *transcript.texts.values()), example)


def write_transcript_jsonl(example: Example, transcript: Transcript) -> str:
    """Write one line with one JSON object: what the sound's manifest says of it, then what was heard.

    That is `path`, `text`, `probability`, `duration` and `segments`; with several text heads `texts` and
    `probabilities`, by the heads' targets, stand for two of them.
    """
    heard = {
        "path": sound_name(example),
        **said(transcript),
        "duration": round(transcript.duration, SECONDS_DIGITS),
        "segments": [
            {"start": round(each.start, SECONDS_DIGITS), "end": round(each.end, SECONDS_DIGITS), **said(each)}
            for each in transcript.segments
        ],
    }
    record = example.origin.record if isinstance(example.origin, Utterance) else {}
    kept = {key: value for key, value in record.items() if key not in heard}
    return json.dumps({**kept, **heard}, ensure_ascii=False) + "\n"


TRANSCRIPT_WRITERS: Mapping[str, TranscriptWriter] = MappingProxyType(
    {"jsonl": write_transcript_jsonl, "tsv": write_transcript_tsv}
)
"""Output formats of transcripts by the name that users give."""


def sound_name(example: Example) -> str:
    """Return what names a sound: its path, with `#START-END` for a stretch of a file, or else its id."""
    for value in example.fields.values():
        if isinstance(value, AudioFile):
            return value.source.name + stretch(value.start or None, value.end)
    return example.origin.id if isinstance(example.origin, Utterance) else str(example.place)


def said(heard: Segment | Transcript) -> dict[str, Any]:
    """Return texts and rounded probabilities under the keys that JSON has for them."""
    sure = {name: round(value, PROBABILITY_DIGITS) for name, value in heard.probabilities.items()}
    if len(heard.texts) == 1:
        return {"text": heard.text, "probability": next(iter(sure.values()))}
    return {"texts": dict(heard.texts), "probabilities": sure}
