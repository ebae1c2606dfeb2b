"""Sound is named so that it is found again, wherever the output lies, and keeps what its manifest says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import tone, write
from written import context
from written import written as written_by

from seqlab.api import Answer, DataError, Example, Piece, Place, Writer
from seqlab.audio import AudioFile, AudioSamples
from seqlab.builtin.core.writers import JsonLines, Table
from seqlab.builtin.speech.heads.agreement import Said
from seqlab.builtin.speech.heads.segments import joined
from seqlab.builtin.speech.naming import sound_name
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.utterances import ListedUtterance, Utterance


def answers(*texts: str) -> dict[str, Answer]:
    """Answers of half a second per head, named `text`, `second` and so on."""
    pieces = [Piece(None, 0.0, 0.50004)]
    return {
        name: joined([Said(text.split(), (0.87654321,))], pieces, " ".join)  # type: ignore[arg-type]
        for name, text in zip(("text", "second")[: len(texts)], texts, strict=True)
    }


def line(writer: Writer, example: Example, answers: dict[str, Answer], folder: Path | str = "") -> str:
    known = context({"audio": "audio"}, dict.fromkeys(answers, "text"), folder=folder)
    return written_by(writer, example, answers, known)


def example(record: dict[str, Any] | None = None, start: float = 0.0, end: float | None = None) -> Example:
    origin = None if record is None else Utterance("it", record=record)
    return Example({"audio": AudioFile("a/ä.wav", start, end)}, Place("m.jsonl", 3), origin)


def written(example: Example, answers: dict[str, Answer], folder: Path | str = "") -> dict[str, Any]:
    found_line = line(JsonLines(), example, answers, folder)
    assert found_line.endswith("}\n")
    found: dict[str, Any] = json.loads(found_line)
    return found


def test_a_sound_is_named_by_its_path_or_its_id() -> None:
    assert sound_name(example()) == "a/ä.wav"
    assert sound_name(example(start=1.5)) == "a/ä.wav#1.5-"
    assert sound_name(example(start=0.0, end=2.25)) == "a/ä.wav#0-2.25"
    array = AudioSamples(tone(1.0), 16_000)
    assert sound_name(Example({"audio": array}, Place("a/m.digits", 3), Utterance("x-3"))) == "a/m.digits#x-3"
    assert sound_name(Example({"audio": array}, Place("m.digits", 3))) == "m.digits:3"


def test_tsv_has_a_column_per_head() -> None:
    assert line(Table(), example(), answers("one two"), "a") == "a/ä.wav\tone two\n"
    assert line(Table(), example(), answers("a", "")) == "a/ä.wav\ta\t\n"
    with pytest.raises(DataError) as caught:
        line(Table(), example(), {"text": Answer("a\tb", 0.5)})
    message = "m.jsonl:3: 'a\\tb' holds a tab or a line end and cannot be written as TSV; choose jsonl"
    assert str(caught.value) == message


def test_jsonl_keeps_the_manifests_record_and_adds_what_was_heard() -> None:
    record = {"audio": "ä.wav", "text": "old", "mood": ["glad"], "duration": 0.45}
    found = line(JsonLines(), example(record), answers("one"))
    assert found.count("\n") == 1
    assert "ä.wav" in found
    assert written(example(record), answers("one")) == {
        "mood": ["glad"],
        "audio": str(Path("a/ä.wav").absolute()),  # there is no such file to be found from elsewhere
        "text": "one",
        "probability": 0.8765,
        "duration": 0.5,
        "segments": [{"start": 0.0, "end": 0.5, "text": "one", "probability": 0.8765}],
    }


def test_a_stretch_keeps_its_bounds_whatever_its_manifest_calls_them() -> None:
    found = written(example({"from": 1.5}, start=1.5, end=2), answers("one"))
    assert (found["from"], found["start"], found["end"]) == (1.5, 1.5, 2)
    found = written(example(end=2.25), answers("one"))
    assert (found["start"], found["end"]) == (0, 2.25)


def test_a_stretch_to_the_end_has_the_same_samples_when_it_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(1.0, 11_025)[:10_003], 11_025)
    whole = AudioFile(path, 1 / 3)
    found = line(JsonLines(), Example({"audio": whole}, Place("m.jsonl", 3)), answers("one"), tmp_path)
    (tmp_path / "heard.jsonl").write_text(found)
    (entry,) = ManifestLayout(Columns()).entries(tmp_path / "heard.jsonl", labelled=True)
    assert isinstance(entry, ListedUtterance)
    again = AudioFile(entry.audio, entry.start, entry.end)
    assert np.array_equal(again.samples(), whole.samples())


def test_path_and_text_of_the_old_manifest_do_not_stand_beside_the_new_ones() -> None:
    record = {"file": "ä.wav", "said": "old", "mood": "glad"}
    origin = Utterance("it", record=record, audio_key="file", text_key="said")
    given = Example({"audio": AudioFile("a/ä.wav")}, Place("m.jsonl", 3), origin)
    found = written(given, answers("one"))
    assert (found["text"], found["mood"]) == ("one", "glad")
    assert not {"file", "said"} & set(found)
    assert "said" not in written(given, answers("one", "two"))


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
        found: str = written(given, answers("one"), folder)["audio"]
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
        found = written(given, answers("two"), "out")
        assert found["id"] == sound_name(given)
        assert "audio" not in found
        assert found["text"] == "two"
        assert found.get("clips") == (["a"] if origin else None)


def test_names_that_are_not_utf8_stay_what_they_are() -> None:
    name = os.fsdecode(b"/a\xff.wav")
    given = Example({"audio": AudioFile(name)}, Place("m.jsonl", 3))
    found = line(JsonLines(), given, answers("one"))
    assert os.fsencode(json.loads(found.encode())["audio"]) == b"/a\xff.wav"


def test_jsonl_of_several_heads_is_by_their_targets() -> None:
    found = written(example({"text": "old"}), answers("one", "two"))
    segment = {"start": 0.0, "end": 0.5, "probability": 0.8765}
    assert found == {
        "audio": str(Path("a/ä.wav").absolute()),
        "text": "one",
        "second": "two",
        "probabilities": {"text": 0.8765, "second": 0.8765},
        "details": {
            "text": {"duration": 0.5, "segments": [{**segment, "text": "one"}]},
            "second": {"duration": 0.5, "segments": [{**segment, "text": "two"}]},
        },
    }
