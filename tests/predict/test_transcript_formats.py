from __future__ import annotations

import json
from typing import Any

import pytest
from sounds import tone

from seqlab.api import DataError, Example, Place
from seqlab.audio import AudioFile, AudioSamples
from seqlab.builtin.readers.utterances import Utterance
from seqlab.predict.transcript import Heard, Transcript, joined
from seqlab.predict.transcript_formats import TRANSCRIPT_WRITERS, sound_name


def transcript(*texts: str) -> Transcript:
    """A transcript of half a second per head, named `text`, `second` and so on."""
    names = ("text", "second")[: len(texts)]
    said = dict(zip(names, texts, strict=True))
    return joined([Heard(0.0, 0.50004, said, dict.fromkeys(names, (0.87654321,)), last=True)])


def example(record: dict[str, Any] | None = None, start: float = 0.0, end: float | None = None) -> Example:
    origin = None if record is None else Utterance("it", record=record)
    return Example({"audio": AudioFile("a/ä.wav", start, end)}, Place("m.jsonl", 3), origin)


def test_a_sound_is_named_by_its_path_or_its_id() -> None:
    assert sound_name(example()) == "a/ä.wav"
    assert sound_name(example(start=1.5)) == "a/ä.wav#1.5-"
    assert sound_name(example(start=0.0, end=2.25)) == "a/ä.wav#0-2.25"
    array = AudioSamples(tone(1.0), 16_000)
    assert sound_name(Example({"audio": array}, Place("m.digits", 3), Utterance("line-3"))) == "line-3"
    assert sound_name(Example({"audio": array}, Place("m.digits", 3))) == "m.digits:3"


def test_tsv_has_a_column_per_head() -> None:
    assert TRANSCRIPT_WRITERS["tsv"](example(), transcript("one two")) == "a/ä.wav\tone two\n"
    assert TRANSCRIPT_WRITERS["tsv"](example(), transcript("a", "")) == "a/ä.wav\ta\t\n"
    with pytest.raises(DataError) as caught:
        TRANSCRIPT_WRITERS["tsv"](example(), transcript("a\tb"))
    message = "m.jsonl:3: 'a\\tb' holds a tab or a line end and cannot be written as TSV; choose jsonl"
    assert str(caught.value) == message


def test_jsonl_keeps_the_manifests_record_and_adds_what_was_heard() -> None:
    record = {"audio": "ä.wav", "text": "old", "path": "x", "mood": ["glad"], "duration": 0.45}
    line = TRANSCRIPT_WRITERS["jsonl"](example(record), transcript("one"))
    assert line.count("\n") == 1
    assert "ä.wav" in line
    assert json.loads(line) == {
        "audio": "ä.wav",
        "mood": ["glad"],
        "path": "a/ä.wav",
        "text": "one",
        "probability": 0.8765,
        "duration": 0.5,
        "segments": [{"start": 0.0, "end": 0.5, "text": "one", "probability": 0.8765}],
    }


def test_jsonl_of_several_heads_is_by_their_targets() -> None:
    found = json.loads(TRANSCRIPT_WRITERS["jsonl"](example(), transcript("one", "two")))
    texts = {"text": "one", "second": "two"}
    sure = {"text": 0.8765, "second": 0.8765}
    assert found == {
        "path": "a/ä.wav",
        "texts": texts,
        "probabilities": sure,
        "duration": 0.5,
        "segments": [{"start": 0.0, "end": 0.5, "texts": texts, "probabilities": sure}],
    }
