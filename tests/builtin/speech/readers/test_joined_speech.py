from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import cut, manifest, tone, write

from seqlab.api import Audio, DataError, Example, Reader
from seqlab.audio import AudioSamples, AudioSettings
from seqlab.builtin.speech.readers.joined_speech import JoinedAudio, JoinedReader, Joining
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.transcripts import Normalizer
from seqlab.builtin.speech.readers.utterances import SpeechReader

RATE = 8000
SPEAKERS = ("ann", "bob")
CLIPS = 10
"""Clips of each speaker."""


def reader(
    refused: list[DataError] | None = None,
    *,
    seed: int = 1,
    clips: tuple[int, int] = (3, 7),
    pause: tuple[float, float] = (0.05, 0.5),
    uses: int = 4,
) -> JoinedReader:
    def refuse(error: DataError) -> None:
        if refused is None:
            raise error
        refused.append(error)

    settings = AudioSettings(sample_rate=RATE)
    source = SpeechReader(ManifestLayout(Columns()), Normalizer(), settings, refuse=refuse)
    return JoinedReader(source, Joining(clips=clips, pause=pause, uses=uses), seed=seed)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A manifest of ten tones by each of two speakers, every one of its own length."""
    records = []
    for number in range(CLIPS):
        for speaker in SPEAKERS:
            name = f"{speaker}{number}.wav"
            write(tmp_path / name, tone(0.1 + number / 100, RATE, 200 + 50 * number), RATE)
            records.append({"audio": name, "text": f"{speaker} {number}", "speaker": speaker})
    return manifest(tmp_path / "words.jsonl", records)


def ids(examples: list[Example]) -> list[tuple[str, ...]]:
    return [tuple(example.origin.record["clips"]) for example in examples]


# --- sound -------------------------------------------------------------------------------------------------


def test_a_joined_sound_is_its_parts_and_pauses_end_to_end() -> None:
    parts = [AudioSamples(tone(length, RATE), RATE) for length in (0.1, 0.3, 0.2)]
    joined: Audio = JoinedAudio(parts, [80, 400])
    expected = [parts[0].samples(), np.zeros(80), parts[1].samples(), np.zeros(400), parts[2].samples()]
    assert np.array_equal(joined.samples(), np.concatenate(expected))
    assert joined.samples().dtype == np.float32
    assert joined.sample_rate == RATE
    assert abs(joined.duration - len(joined.samples()) / RATE) < 1e-9


def test_a_fingerprint_names_the_parts_their_order_and_the_pauses() -> None:
    first, second = (AudioSamples(tone(0.1, RATE, pitch), RATE) for pitch in (300.0, 400.0))
    different = [
        JoinedAudio([first, second], [80]),
        JoinedAudio([second, first], [80]),
        JoinedAudio([first, second], [81]),
        JoinedAudio([first, second, first], [80, 80]),
    ]
    assert len({joined.fingerprint for joined in different}) == len(different)
    assert JoinedAudio([first, second], [80]).fingerprint == different[0].fingerprint


# --- utterances --------------------------------------------------------------------------------------------


def test_an_utterance_is_what_its_clips_say_by_one_speaker(words: Path) -> None:
    subject: Reader = reader()
    texts = {record["audio"]: record["text"] for record in map(json.loads, words.read_text().splitlines())}
    for example in subject.read(words):
        clips = example.origin.record["clips"]
        assert set(example.fields) == set(subject.fields)
        assert example.fields["text"] == " ".join(texts[clip] for clip in clips)
        assert {clip[:3] for clip in clips} == {example.origin.speaker}
        audio = example.fields["audio"]
        assert [Path(part.source.name).name for part in audio.parts] == clips
        assert all(0.05 * RATE <= pause <= 0.5 * RATE for pause in audio.pauses)
        assert str(example.place).startswith(f"{words}:")


@pytest.mark.parametrize(("uses", "clips"), [(1, (3, 7)), (4, (3, 7)), (3, (4, 4)), (2, (1, 1))])
def test_every_clip_is_used_equally_often(words: Path, uses: int, clips: tuple[int, int]) -> None:
    joined = ids(list(reader(uses=uses, clips=clips).read(words)))
    used = Counter(clip for each in joined for clip in each)
    assert len(used) == len(SPEAKERS) * CLIPS
    assert set(used.values()) <= {uses, uses + 1}
    extra = sum(used.values()) - uses * len(used)
    assert extra < len(SPEAKERS) * clips[0], "only what completes each speaker's last utterance"
    assert {len(each) for each in joined} <= set(range(clips[0], clips[1] + 1))


def test_utterances_follow_from_the_seed_and_the_manifest(words: Path) -> None:
    first, again, other = (list(reader(seed=seed).read(words)) for seed in (1, 1, 2))
    assert ids(first) == ids(again) != ids(other)
    assert [each.fields["audio"].fingerprint for each in first] == [
        each.fields["audio"].fingerprint for each in again
    ]
    assert len({example.origin.id for example in first}) == len(first)
    assert len(set(ids(first))) == len(first)


def test_the_draw_is_the_same_for_ever(words: Path) -> None:
    """Test strings that changed with a version of Python would be another test."""
    first = next(reader().read(words))
    assert first.origin.record["clips"] == ["ann3.wav", "ann5.wav", "ann2.wav", "ann4.wav"]
    assert first.fields["audio"].pauses == [3323, 602, 3382]


def test_without_labels_the_sounds_are_the_same(words: Path) -> None:
    labelled = list(reader().read(words))
    bare = list(reader().read(words, labelled=False))
    assert ids(bare) == ids(labelled)
    assert all(set(example.fields) == {"audio"} for example in bare)


def test_a_few_clips_are_enough_and_nobody_need_be_named(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(0.2, RATE), RATE)
    path = manifest(tmp_path / "one.jsonl", [{"audio": "a.wav", "text": "a"}])
    (example,) = reader(uses=1).read(path)
    assert (example.fields["text"], example.origin.speaker) == ("a a a", None)


def test_a_clip_that_cannot_be_used_is_refused_and_stands_nowhere(words: Path) -> None:
    cut(words.parent / "bob3.wav")
    with pytest.raises(DataError, match=re.escape(f"{words}:8: {words.parent}/bob3.wav: truncated")):
        list(reader().read(words))
    refused: list[DataError] = []
    joined = ids(list(reader(refused).read(words)))
    assert len(refused) == 1
    assert "bob3.wav" not in {clip for each in joined for clip in each}


def test_an_empty_manifest_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(DataError, match=r"none\.jsonl: no utterances"):
        list(reader().read(tmp_path / "none.jsonl"))


def test_writing_names_the_clips_and_the_answer(words: Path) -> None:
    subject = reader()
    example = next(subject.read(words, labelled=False))
    written: dict[str, Any] = json.loads(subject.write(example, {"text": "ann 1"}))
    assert written == {"id": "ann-0", "clips": example.origin.record["clips"], "text": "ann 1"}


def test_a_recording_is_taken_in_as_a_clip_is() -> None:
    example = reader().take((tone(1.0, 16_000), 16_000))
    assert len(example.fields["audio"].samples()) == RATE


@pytest.mark.data
def test_real_digits_are_joined_by_speaker() -> None:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA is not set")
    examples = list(reader().read(Path(os.environ["SEQLAB_DATA"]) / "speech_fsdd" / "test.jsonl"))
    used = Counter(clip for each in ids(examples) for clip in each)
    assert len(used) == 300
    assert set(used.values()) <= {4, 5}
    assert len({example.origin.speaker for example in examples}) == 6
