from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sounds import ALPHABET, DAMAGED, ENDLESS, ODD, damaged_folder, manifest, tone, write

from seqlab.api import DataError, Example, Reader
from seqlab.audio import AudioSettings, Limits, decoding
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.transcripts import Normalizer
from seqlab.builtin.speech.readers.utterances import SpeechReader, Utterance

SETTINGS = AudioSettings(sample_rate=16_000, limits=Limits(max_duration=60.0))


def reader(refused: list[DataError] | None = None, **options: Any) -> SpeechReader:
    """A reader of manifests that notes what it refuses, or raises it where there is no list."""

    def refuse(error: DataError) -> None:
        if refused is None:
            raise error
        refused.append(error)

    normalizer = options.pop("normalizer", Normalizer(alphabet=ALPHABET))
    settings = options.pop("settings", SETTINGS)
    return SpeechReader(ManifestLayout(Columns()), normalizer, settings, refuse=refuse, **options)


def names(examples: list[Example]) -> list[str]:
    return [Path(example.origin.id).stem for example in examples]


def test_examples_hold_sound_text_and_who_speaks(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(2.0, 8000), 8000)
    record = {
        "audio": "a.wav",
        "text": "Yes  Yes",
        "speaker": "ann",
        "id": "a1",
        "start": 0.5,
        "mood": "glad",
    }
    path = manifest(tmp_path / "m.jsonl", [record])
    subject: Reader = reader(normalizer=Normalizer(case="lower"))
    (example,) = subject.read(path)
    assert set(example.fields) == set(subject.fields) == {"audio", "text"}
    assert example.fields["text"] == "yes yes"
    audio = example.fields["audio"]
    assert (audio.sample_rate, audio.duration, len(audio.samples())) == (16_000, 1.5, 24_000)
    assert example.origin == Utterance("a1", "ann", record)
    assert str(example.place) == f"{path}:1"
    (bare,) = subject.read(path, labelled=False)
    assert set(bare.fields) == {"audio"}


def test_writing_gives_the_record_back_with_the_text_that_is_answered(tmp_path: Path) -> None:
    write(tmp_path / "ä.wav", tone(1.0))
    path = manifest(tmp_path / "m.jsonl", [{"audio": "ä.wav", "text": "old", "mood": ["glad"]}])
    subject = reader()
    (example,) = subject.read(path)
    written = subject.write(example, {"text": "new"})
    assert written.count("\n") == 1
    assert json.loads(written) == {"audio": "ä.wav", "text": "new", "mood": ["glad"]}
    (tmp_path / "again.jsonl").write_text(written)
    (again,) = subject.read(tmp_path / "again.jsonl")
    assert again.fields["text"] == "new"
    assert json.loads(subject.write(example, {}))["text"] == "old"


def test_many_stretches_of_one_file(tmp_path: Path) -> None:
    samples = np.concatenate([tone(1.0, pitch=200.0 + 100 * number) for number in range(5)])
    write(tmp_path / "long.flac", samples)
    lines = [{"audio": "long.flac", "text": "x", "start": start, "end": start + 1} for start in range(5)]
    examples = list(reader().read(manifest(tmp_path / "m.jsonl", lines)))
    for start, example in enumerate(examples):
        part = samples[16_000 * start : 16_000 * (start + 1)]
        assert np.abs(example.fields["audio"].samples() - part).max() < 1e-4
    assert len({example.fields["audio"].fingerprint for example in examples}) == 5


# --- sound that no data lists -------------------------------------------------------------------------------


def test_a_recording_is_taken_in_as_a_line_without_labels_is(tmp_path: Path) -> None:
    both = np.stack([tone(2.0, 44_100), np.zeros(88_200)], axis=1)
    path = write(tmp_path / "a.wav", both, 44_100)
    subject = reader(settings=AudioSettings(sample_rate=16_000, channel=0))
    (listed,) = subject.read(manifest(tmp_path / "m.jsonl", [{"audio": "a.wav"}]), labelled=False)
    samples = soundfile.read(path, dtype="int16")[0]
    with path.open("rb") as stream:
        given = [
            (path, None),
            (str(path), None),
            (path.read_bytes(), None),
            (stream, None),
            (samples, 44_100),
        ]
        for sound, rate in given:
            example = subject.take(sound if rate is None else (sound, rate))
            assert set(example.fields) == {"audio"}
            audio = example.fields["audio"]
            assert (audio.sample_rate, audio.duration) == (16_000, 2.0)
            assert np.array_equal(audio.samples(), listed.fields["audio"].samples())


def test_a_recording_by_its_path_can_be_written_and_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1.0))
    subject = reader()
    example = subject.take(path)
    assert str(example.place) == str(path)
    (tmp_path / "again.jsonl").write_text(subject.write(example, {"text": "yes"}))
    (again,) = subject.read(tmp_path / "again.jsonl")
    assert (again.fields["text"], again.origin.record["audio"]) == ("yes", str(path))
    assert subject.take(path.read_bytes()).origin is None


def test_what_is_too_long_or_clipped_for_training_is_recognised_all_the_same(tmp_path: Path) -> None:
    settings = AudioSettings(sample_rate=16_000, limits=Limits(max_duration=1.0))
    subject = reader(settings=settings)
    path = write(tmp_path / "a.wav", np.sign(tone(2.0)))
    listed = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "text": "x"}])
    with pytest.raises(DataError, match="too long"):
        list(subject.read(listed))
    for example in (subject.take(path), *subject.read(listed, labelled=False)):
        assert len(example.fields["audio"].samples()) == 32_000


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        (np.zeros(16_000), "<array>: silent: every sample is 0"),
        (b"sound", "<bytes>: cannot be decoded: format not recognised; it holds text: 'sound'"),
        ("gone.wav", "gone.wav: cannot be read: no such file or directory"),
    ],
)
def test_a_recording_that_cannot_be_used(sound: Any, message: str) -> None:
    example = reader().take((sound, 16_000) if isinstance(sound, np.ndarray) else sound)
    with pytest.raises(DataError) as caught:
        example.fields["audio"].samples()
    assert str(caught.value) == message


# --- the 12 kinds of damaged or odd input ------------------------------------------------------------------


def test_skip_names_each_damaged_sound_with_its_reason_and_finishes(tmp_path: Path) -> None:
    refused: list[DataError] = []
    path = damaged_folder(tmp_path)
    examples = list(reader(refused).read(path))
    assert names(examples) == ["first", *ODD, ENDLESS, "last"]
    first_damaged = 2 + len(ODD)
    wanted = [
        f"{path}:{line}: {reason if name == 'unknown' else f'{tmp_path}/{name}.wav: {reason}'}"
        for line, (name, reason) in enumerate(DAMAGED.items(), first_damaged)
    ]
    assert [str(error) for error in refused] == wanted
    assert len(examples) + len(refused) == len(path.read_text().splitlines()) == 14


def test_fail_names_the_first(tmp_path: Path) -> None:
    path = damaged_folder(tmp_path)
    with pytest.raises(DataError) as caught:
        list(reader().read(path))
    assert str(caught.value) == f"{path}:6: {tmp_path}/truncated.wav: {DAMAGED['truncated']}"


def test_what_is_not_checked_at_once_is_refused_when_its_samples_are_used(tmp_path: Path) -> None:
    refused: list[DataError] = []
    examples = list(reader(refused, check=False).read(damaged_folder(tmp_path)))
    late = [name for name in names(examples) if name in DAMAGED]
    assert late == ["nan", "silence"]
    for example in examples:
        name = Path(example.origin.id).stem
        if name in late:
            with pytest.raises(DataError) as caught:
                example.fields["audio"].samples()
            assert DAMAGED[name] in str(caught.value)
        else:
            assert len(example.fields["audio"].samples()) == 16_000


# --- other refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": ""}, "the text is empty"),
        ({"audio": "b.wav"}, "{folder}/b.wav: cannot be read: no such file or directory"),
        ({"audio": "b\0.wav"}, "{folder}/b\0.wav: cannot be read: embedded null byte"),
        (
            {"sample_rate": 8000},
            "{folder}/a.wav: has 16000 samples a second, but sample_rate is stated as 8000",
        ),
        (
            {"duration": 2.5},
            "{folder}/a.wav: lasts 2 s, but duration is stated as 2.5 s; they may differ by 0.1 s",
        ),
        ({"end": 5}, "{folder}/a.wav: end at 5 s; it must lie after the start at 0 s, up to 2 s"),
        ({"id": "one"}, "utterance 'one' is listed twice, first at {folder}/m.jsonl:1; ids must differ"),
    ],
)
def test_other_utterances_that_cannot_be_used(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    write(tmp_path / "a.wav", tone(2.0))
    lines = [{"audio": "a.wav", "text": "x", "id": name} for name in ("one", "two", "three")]
    lines[1] |= record
    path = manifest(tmp_path / "m.jsonl", lines)
    refused: list[DataError] = []
    assert [example.origin.id for example in reader(refused).read(path)] == ["one", "three"]
    assert [str(error) for error in refused] == [f"{path}:2: {message.format(folder=tmp_path)}"]


def test_the_same_sound_twice_without_ids_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(2.0))
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "text": "x"}] * 2)
    with pytest.raises(
        DataError, match=r"m.jsonl:2: utterance 'a.wav' is listed twice, first at .*m.jsonl:1"
    ):
        list(reader().read(path))


def test_long_sound_is_refused_in_training_only_and_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.flac", tone(61.0))
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.flac", "text": "x"}])
    with pytest.raises(DataError, match="too long: 61 s, at most 60 s are allowed"):
        list(reader().read(path))
    monkeypatch.setattr(decoding, "BLOCK", 1000)
    (example,) = reader().read(path, labelled=False)
    assert example.fields["audio"].duration == 61.0
    assert max(len(block) for block in example.fields["audio"].blocks()) == 1000


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_manifest_without_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"m.jsonl: no utterances"):
        list(reader().read(path))
