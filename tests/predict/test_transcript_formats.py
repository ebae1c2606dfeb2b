from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import tone, write

from seqlab.api import DataError, Example, Place
from seqlab.audio import AudioFile, AudioSamples
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.utterances import Entry, Utterance
from seqlab.predict.agreement import Said
from seqlab.predict.transcript import Heard, Transcript, joined
from seqlab.predict.transcript_formats import sound_name, transcript_writer, write_transcript_tsv


def transcript(*texts: str) -> Transcript:
    """A transcript of half a second per head, named `text`, `second` and so on."""
    names = ("text", "second")[: len(texts)]
    said = {name: Said(text.split(), (0.87654321,)) for name, text in zip(names, texts, strict=True)}
    return joined([Heard(0.0, 0.50004, said, last=True)], dict.fromkeys(names, " ".join))


def example(record: dict[str, Any] | None = None, start: float = 0.0, end: float | None = None) -> Example:
    origin = None if record is None else Utterance("it", record=record)
    return Example({"audio": AudioFile("a/ä.wav", start, end)}, Place("m.jsonl", 3), origin)


def written(example: Example, transcript: Transcript, folder: Path | str = "") -> dict[str, Any]:
    line = transcript_writer("jsonl", Path(folder))(example, transcript)
    assert line.endswith("}\n")
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_sound_is_named_by_its_path_or_its_id() -> None:
    assert sound_name(example()) == "a/ä.wav"
    assert sound_name(example(start=1.5)) == "a/ä.wav#1.5-"
    assert sound_name(example(start=0.0, end=2.25)) == "a/ä.wav#0-2.25"
    array = AudioSamples(tone(1.0), 16_000)
    assert sound_name(Example({"audio": array}, Place("a/m.digits", 3), Utterance("x-3"))) == "a/m.digits#x-3"
    assert sound_name(Example({"audio": array}, Place("m.digits", 3))) == "m.digits:3"


def test_tsv_has_a_column_per_head() -> None:
    assert transcript_writer("tsv", Path("a"))(example(), transcript("one two")) == "a/ä.wav\tone two\n"
    assert write_transcript_tsv(example(), transcript("a", "")) == "a/ä.wav\ta\t\n"
    with pytest.raises(DataError) as caught:
        write_transcript_tsv(example(), Transcript({"text": "a\tb"}, {"text": 0.5}, 1.0, ()))
    message = "m.jsonl:3: 'a\\tb' holds a tab or a line end and cannot be written as TSV; choose jsonl"
    assert str(caught.value) == message


def test_jsonl_keeps_the_manifests_record_and_adds_what_was_heard() -> None:
    record = {"audio": "ä.wav", "text": "old", "mood": ["glad"], "duration": 0.45}
    line = transcript_writer("jsonl", Path())(example(record), transcript("one"))
    assert line.count("\n") == 1
    assert "ä.wav" in line
    assert written(example(record), transcript("one")) == {
        "mood": ["glad"],
        "audio": str(Path("a/ä.wav").absolute()),  # there is no such file to be found from elsewhere
        "text": "one",
        "probability": 0.8765,
        "duration": 0.5,
        "segments": [{"start": 0.0, "end": 0.5, "text": "one", "probability": 0.8765}],
    }


def test_a_stretch_keeps_its_bounds_whatever_its_manifest_calls_them() -> None:
    found = written(example({"from": 1.5}, start=1.5, end=2), transcript("one"))
    assert (found["from"], found["start"], found["end"]) == (1.5, 1.5, 2)
    found = written(example(end=2.25), transcript("one"))
    assert (found["start"], found["end"]) == (0, 2.25)


def test_a_stretch_to_the_end_has_the_same_samples_when_it_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1.0, 11_025)[:10_003], 11_025)
    whole = AudioFile(path, 1 / 3)
    heard = replace(transcript("one"), duration=whole.duration)
    line = transcript_writer("jsonl", tmp_path)(Example({"audio": whole}, Place("m.jsonl", 3)), heard)
    (tmp_path / "heard.jsonl").write_text(line)
    (entry,) = ManifestLayout(Columns()).entries(tmp_path / "heard.jsonl", labelled=True)
    assert isinstance(entry, Entry)
    again = AudioFile(entry.audio, entry.start, entry.end)
    assert np.array_equal(again.samples(), whole.samples())


def test_path_and_text_of_the_old_manifest_do_not_stand_beside_the_new_ones() -> None:
    record = {"file": "ä.wav", "said": "old", "mood": "glad"}
    origin = Utterance("it", record=record, audio_key="file", text_key="said")
    given = Example({"audio": AudioFile("a/ä.wav")}, Place("m.jsonl", 3), origin)
    found = written(given, transcript("one"))
    assert (found["text"], found["mood"]) == ("one", "glad")
    assert not {"file", "said"} & set(found)
    assert "said" not in written(given, transcript("one", "two"))


def test_paths_are_seen_from_the_folder_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in/a.wav", tone(0.1))
    for folder in ("out/deep", "far/away"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")

    def seen(path: str, folder: str) -> str:
        given = Example({"audio": AudioFile(path)}, Place("m.jsonl", 3))
        found: str = written(given, transcript("one"), folder)["audio"]
        assert Path(folder, found).samefile("in/a.wav")
        return found

    assert seen("in/a.wav", "") == seen("./in/a.wav", "") == "in/a.wav"
    assert seen("in/a.wav", "in") == "a.wav"
    assert seen("in/a.wav", "out/deep") == "../../in/a.wav"
    assert seen("in/a.wav", str(tmp_path / "out")) == "../in/a.wav"
    # Behind a link `..` is the folder above its target.
    assert seen("in/a.wav", "link") == str(tmp_path / "in/a.wav")
    assert seen(str(tmp_path / "in/a.wav"), "out") == str(tmp_path / "in/a.wav")


@pytest.mark.parametrize("origin", [Utterance("x-3", "en", {"text": "one", "clips": ["a"]}), None])
def test_sound_that_has_no_file_has_an_id_in_place_of_a_path(origin: Utterance | None) -> None:
    for audio in (AudioSamples(tone(1.0), 16_000), AudioFile(b"in memory")):
        given = Example({"audio": audio}, Place("a/m.digits", 3), origin)
        found = written(given, transcript("two"), "out")
        assert found["id"] == sound_name(given)
        assert "audio" not in found
        assert found["text"] == "two"
        assert found.get("clips") == (["a"] if origin else None)


def test_names_that_are_not_utf8_stay_what_they_are() -> None:
    name = os.fsdecode(b"/a\xff.wav")
    given = Example({"audio": AudioFile(name)}, Place("m.jsonl", 3))
    line = transcript_writer("jsonl", Path())(given, transcript("one"))
    assert os.fsencode(json.loads(line.encode())["audio"]) == b"/a\xff.wav"


def test_jsonl_of_several_heads_is_by_their_targets() -> None:
    found = written(example({"text": "old"}), transcript("one", "two"))
    texts = {"text": "one", "second": "two"}
    sure = {"text": 0.8765, "second": 0.8765}
    assert found == {
        "audio": str(Path("a/ä.wav").absolute()),
        "texts": texts,
        "probabilities": sure,
        "duration": 0.5,
        "segments": [{"start": 0.0, "end": 0.5, "texts": texts, "probabilities": sure}],
    }
