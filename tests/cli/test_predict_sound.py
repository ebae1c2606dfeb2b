"""`seqlab predict` with a model that reads sound: files, folders and lists in, text out."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from memory import peak_kib
from sounds import cut, damaged_folder, write
from toy_speech import RATE, spoken, texts

from seqlab.cli.main import main
from seqlab.predict.predictor import Predictor

Result = tuple[int, str, str]

MAX_GROWTH_KIB = 64 * 1024
"""How much more memory the longer sound may take; its samples alone would be 110 MiB more."""


@pytest.fixture
def predict(
    hearing: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run the command in this process and the test's folder; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> Result:
        code = main(["predict", str(hearing / "run/model"), *map(str, args), "--device", "cpu"])
        captured = capsysbinary.readouterr()
        return code, captured.out.decode(), captured.err.decode()

    return run


@pytest.fixture
def sounds(hearing: Path, tmp_path: Path) -> Path:
    """A folder `in` in the test's own with three recordings."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(hearing / f"test-0{ord(name) - ord('a')}.wav", folder / f"{name}.wav")
    return folder


# --- formats ------------------------------------------------------------------------------------------------


def test_files_become_lines_of_path_and_text(
    predict: Callable[..., Result], sounds: Path, recognizer: Predictor
) -> None:
    expected = {name: recognizer(sounds / f"{name}.wav").text for name in "abc"}
    assert all(expected.values())
    code, out, errors = predict("in/b.wav", "in/a.wav")
    assert (code, errors) == (0, "")
    assert out == f"in/b.wav\t{expected['b']}\nin/a.wav\t{expected['a']}\n"
    code, out, errors = predict("in")
    assert (code, errors) == (0, "")
    assert out == "".join(f"in/{name}.wav\t{text}\n" for name, text in expected.items())


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]

    return give


def test_jsonl_holds_what_the_list_says_and_what_is_heard(
    predict: Callable[..., Result],
    sounds: Path,
    recognizer: Predictor,
    stdin: Callable[[bytes], None],
) -> None:
    stdin(b'{"audio": "in/b.wav", "mood": "glad", "text": "old"}\n')
    code, out, errors = predict("-", "--to", "jsonl")
    assert (code, errors) == (0, "")
    found, heard = json.loads(out), recognizer(sounds / "b.wav")
    assert found.pop("probability") == round(heard.score, 4)
    assert found.pop("duration") == round(heard.duration, 4)
    assert [segment["text"] for segment in found.pop("segments")] == [heard.text]
    assert found == {"audio": "in/b.wav", "mood": "glad", "text": heard.text}


@pytest.mark.parametrize("folder", [".", "in", "out", "out/deep"])
def test_jsonl_is_a_manifest_wherever_it_lies(
    folder: str, predict: Callable[..., Result], sounds: Path, recognizer: Predictor
) -> None:
    """Of sound from a list in another folder, from this one and by its whole path, and of a stretch."""
    (sounds / "list.jsonl").write_text('{"audio": "c.wav"}\n{"audio": "a.wav", "start": 0.05, "end": 0.15}\n')
    Path(folder).mkdir(parents=True, exist_ok=True)
    given = ("in/list.jsonl", "in/b.wav", sounds / "a.wav")
    written = Path(folder, "heard.jsonl")
    assert predict(*given, "--to", "jsonl", "--out", written) == (0, "", "")
    texts = [json.loads(line)["text"] for line in written.read_text().splitlines()]
    assert len(texts) == 4
    examples = list(recognizer.assembly.reader.read(written))
    assert [example.fields["text"] for example in examples] == texts
    assert [example.fields["audio"].duration for example in examples[1:2]] == [0.1]
    heard = [line.split("\t")[1] for line in predict(written)[1].splitlines()]
    assert heard == [line.split("\t")[1] for line in predict(*given)[1].splitlines()] == texts


def test_jsonl_on_standard_output_starts_from_the_current_folder(
    predict: Callable[..., Result], sounds: Path, stdin: Callable[[bytes], None]
) -> None:
    (sounds / "list.jsonl").write_text('{"audio": "c.wav"}\n')
    out = predict("in/list.jsonl", "in/b.wav", "--to", "jsonl")[1]
    assert [json.loads(line)["audio"] for line in out.splitlines()] == ["in/c.wav", "in/b.wav"]
    stdin(out.encode())
    assert predict("-") == predict("in/c.wav", "in/b.wav")


def test_names_that_are_not_utf8(predict: Callable[..., Result], sounds: Path) -> None:
    name = os.fsdecode(b"in/\xff.wav")
    (sounds / "b.wav").rename(name)
    assert predict(name, "--to", "jsonl", "--out", "heard.jsonl")[0] == 0
    assert predict("heard.jsonl", "--out", "heard.tsv")[0] == 0
    assert Path("heard.tsv").read_bytes().startswith(b"in/\xff.wav\t")


def test_a_list_in_another_folder_and_the_models_own_data(
    predict: Callable[..., Result], sounds: Path, hearing: Path
) -> None:
    (sounds / "list.jsonl").write_text('{"audio": "c.wav"}\n')
    assert predict("in/list.jsonl")[1].startswith("in/c.wav\t")
    code, out, _ = predict(hearing / "test.jsonl")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        str(hearing / f"test-{number:02d}.wav") for number in range(12)
    ]
    assert predict(hearing / "test.jsonl", "--from", "data") == (0, out, "")


def test_long_sound_is_cut_where_the_option_says(
    predict: Callable[..., Result], hearing: Path, tmp_path: Path
) -> None:
    wave = np.concatenate([spoken(text, 3) for text in texts(30, seed=4)])
    write(tmp_path / "long.wav", wave, RATE)
    for limit in (1, 2.5):
        code, out, _ = predict("long.wav", "--to", "jsonl", "--max-segment", limit)
        segments = json.loads(out)["segments"]
        assert code == 0
        assert segments[-1]["end"] == round(len(wave) / RATE, 4)
        assert max(each["end"] - each["start"] for each in segments) <= limit + 1e-3
    assert len(segments) > len(wave) / RATE / 2.5
    # By default pieces are as long as the training's sounds.
    seen = json.loads((hearing / "run/model/package.json").read_text())["lengths"]["audio"]["longest"]
    segments = json.loads(predict("long.wav", "--to", "jsonl")[1])["segments"]
    assert len(wave) / RATE > seen >= max(each["end"] - each["start"] for each in segments) - 1e-3


def test_out_writes_a_new_file_or_keeps_what_was_finished(
    predict: Callable[..., Result], sounds: Path, tmp_path: Path
) -> None:
    out = predict("in")[1]
    assert predict("in", "--out", "texts.tsv") == (0, "", "")
    assert (tmp_path / "texts.tsv").read_text() == out
    cut(sounds / "b.wav")
    code, _, errors = predict("in", "--out", "more.tsv")
    assert code == 4
    kept, error = errors.splitlines()
    assert kept == "kept: more.tsv.partial holds what was written before"
    assert error.startswith("error: in/b.wav: truncated: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "more.tsv.partial", "texts.tsv"]
    first = out.splitlines(keepends=True)[0]
    assert (tmp_path / "more.tsv.partial").read_text() == first
    # Nobody's hour of sound is overwritten by the next try.
    code, _, errors = predict("in/a.wav", "--out", "more.tsv")
    assert code == 2
    assert "--out more.tsv: more.tsv.partial exists, of a command that failed or still runs; choose" in errors
    assert (tmp_path / "more.tsv.partial").read_text() == first


@pytest.mark.parametrize("last", ["empty", "gone.jsonl", "in/bad.jsonl"])
def test_what_comes_before_a_path_that_cannot_be_used_is_written(
    last: str, predict: Callable[..., Result], sounds: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (sounds / "bad.jsonl").write_text("{\n")
    whole = predict("in/a.wav", "in/b.wav")[1]
    code, out, errors = predict("in/a.wav", "in/b.wav", last, "in/c.wav")
    assert (code, out) == (4, whole)
    assert errors.startswith(f"error: {last}:")
    assert predict("in/a.wav", "in/b.wav", last, "--out", "texts.tsv")[0] == 4
    assert Path("texts.tsv.partial").read_text() == whole
    code, out, errors = predict("in/a.wav", last, "in/b.wav", "--on-error", "skip")
    assert (code, out) == (4, whole)
    assert errors.startswith(f"left out: {last}:")
    assert errors.endswith("\n1 left out, 2 answered\n")


# --- bad input ----------------------------------------------------------------------------------------------


def test_a_broken_sound_is_named_and_ends_it_or_is_left_out(
    predict: Callable[..., Result], sounds: Path
) -> None:
    whole = predict("in")[1].splitlines(keepends=True)
    cut(sounds / "b.wav")
    code, out, errors = predict("in")
    assert (code, out) == (4, whole[0])
    assert errors.startswith("error: in/b.wav: truncated: ")
    assert predict("in", "--on-error", "fail") == (code, out, errors)
    code, out, errors = predict("in", "gone.wav", "--on-error", "skip")
    assert (code, out) == (4, whole[0] + whole[2])
    first, second, last = errors.splitlines()
    assert first.startswith("left out: in/b.wav: truncated: ")
    assert second == "left out: gone.wav: cannot be read: no such file or directory"
    assert last == "2 left out, 2 answered"


def test_a_name_that_a_format_cannot_hold_is_left_out(predict: Callable[..., Result], sounds: Path) -> None:
    (sounds / "b.wav").rename(sounds / "b\t.wav")
    code, out, errors = predict("in", "--on-error", "skip")
    assert (code, [line.split("\t")[0] for line in out.splitlines()]) == (4, ["in/a.wav", "in/c.wav"])
    assert errors.startswith("left out: in/b\t.wav: 'in/b\\t.wav' holds a tab or a line end")


def test_skip_goes_through_a_manifest_of_damaged_sounds(
    predict: Callable[..., Result], tmp_path: Path
) -> None:
    damaged_folder(tmp_path)
    code, out, errors = predict("all.jsonl", "--on-error", "skip", "--out", "texts.tsv")
    assert (code, out) == (4, "")
    done = [line.split("\t")[0] for line in (tmp_path / "texts.tsv").read_text().splitlines()]
    # What is wrong with a text, or with its length, is no matter where it is not asked for.
    assert done == [
        f"{name}.wav"
        for name in ("first", "8-bit", "24-bit", "stereo", "192-khz", "unknown", "longer-than-frames", "last")
    ]
    assert [line.split(": ")[2] for line in errors.splitlines()[:-1]] == [
        f"{name}.wav" for name in ("truncated", "zero-bytes", "renamed", "short", "nan", "silence")
    ]
    assert errors.endswith("\n6 left out, 8 answered\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["in", "--from", "text"], "--from text makes no sense here: the model reads audio"),
        (
            ["in", "--to", "conllu"],
            "--to conllu does not fit the model: CoNLL-U has labels of tokens; the model answers text;"
            " one of: data, jsonl, tsv",
        ),
        (["in", "--to", "jsnol"], "--to: unknown format 'jsnol'; did you mean 'jsonl'?; one of: conllu,"),
        (
            ["in/a.wav", "--from", "data"],
            "in/a.wav: this is named like audio, not like data; leave out --from data",
        ),
        (["in", "--max-segment", "0.5"], "--max-segment must be at least 1 seconds, got 0.5"),
        (["in", "--max-segment", "nan"], "'--max-segment': nan is no number"),
        (["in", "--on-error", "stop"], "'--on-error': 'stop' is not one of 'fail', 'skip'"),
    ],
)
def test_options_that_make_no_sense_for_sound(
    args: list[str], message: str, predict: Callable[..., Result], sounds: Path
) -> None:
    code, _, errors = predict(*args)
    assert code == 2
    assert message in errors


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["in.txt", "--max-segment", "5"],
            "--max-segment makes no sense here: the model answers every value",
        ),
        (["in.txt", "a.wav"], "a.wav: this is named like audio, but the model reads tokens"),
    ],
)
def test_options_and_sound_that_make_no_sense_for_text(
    args: list[str], message: str, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(package), *args]) == 2
    assert message in capsys.readouterr().err


def test_sound_on_standard_input_is_told(
    predict: Callable[..., Result], sounds: Path, stdin: Callable[[bytes], None]
) -> None:
    stdin((sounds / "a.wav").read_bytes())
    code, _, errors = predict("-")
    assert code == 4
    assert errors.startswith("error: <stdin>: this is sound (WAV), but lines of text are read here; ")


def test_a_list_or_folder_that_holds_nothing(
    predict: Callable[..., Result], tmp_path: Path, stdin: Callable[[bytes], None]
) -> None:
    stdin(b"")
    assert predict("-") == (4, "", "error: <stdin>: no utterances\n")
    (tmp_path / "empty").mkdir()
    assert predict("empty")[2].startswith("error: empty: no sound in this folder; known endings are .wav")
    (tmp_path / "empty.jsonl").touch()
    assert predict("empty.jsonl")[::2] == (4, "error: empty.jsonl: no utterances\n")
    assert predict("gone.jsonl")[::2] == (4, "error: gone.jsonl: cannot read: No such file or directory\n")
    (tmp_path / "notes.txt").write_text("la katos\n")
    code, _, errors = predict("notes.txt")
    assert code == 4
    assert errors.startswith("error: notes.txt: cannot be decoded: ")


# --- memory -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS counts in other units")
@pytest.mark.slow
def test_seven_times_the_sound_takes_no_more_memory(hearing: Path, tmp_path: Path) -> None:
    minute = np.resize(np.concatenate([spoken(text, 3) for text in texts(80, seed=4)]), 60 * RATE)
    peaks = []
    for minutes in (10, 70):
        path = write(tmp_path / f"{minutes}.wav", np.tile(minute, minutes), RATE)
        peaks.append(peak_kib("predict", hearing / "run/model", path, "--threads", 1))
    assert peaks[1] - peaks[0] <= MAX_GROWTH_KIB
