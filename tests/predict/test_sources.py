"""Files, folders, lists and data name the same values, whatever reader a model was trained with."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sounds import manifest
from toy_speech import RATE

from seqlab import DataError, Lab
from seqlab.api import Example, Place
from seqlab.builtin.speech.naming import sound_name
from seqlab.predict.predictor import Predictor
from seqlab.predict.sources import Form, Sources
from seqlab.run import RunOptions


def trained(recipe: Path, reader: str, data: str, out: Path) -> Predictor:
    """A recognizer of one epoch, whose recipe has another reader and other data."""
    lab = Lab(entry_points=False)
    changes = [f"data.reader={reader}", f"data.train={data}", "data.test=null", "train.epochs=1"]
    lab.run(recipe, changes, RunOptions(out=out, device="cpu", threads=1))
    return lab.open(out / "model", device="cpu")


@pytest.fixture(scope="module")
def by_folder(hearing: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A recognizer whose reader takes sound with texts beside it, and no list."""
    folder = tmp_path_factory.mktemp("by-folder")
    for record in map(json.loads, (hearing / "train.jsonl").read_text().splitlines()[:4]):
        shutil.copy(hearing / record["audio"], folder)
        (folder / record["audio"]).with_suffix(".txt").write_text(record["text"])
    reader = "{name: audio_folder, sample_rate: 8000}"
    return trained(hearing / "toy-speech.yaml", reader, f"{folder}/*.wav", folder / "run")


@pytest.fixture(scope="module")
def by_digits(hearing: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A recognizer whose reader makes its sound."""
    folder = tmp_path_factory.mktemp("by-digits")
    (folder / "train.digits").write_text("generate train 2\n")
    reader = "{name: spoken_digits, sample_rate: 8000}"
    return trained(hearing / "toy-speech.yaml", reader, f"{folder}/train.digits", folder / "run")


@pytest.fixture(scope="module")
def by_joining(hearing: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A recognizer whose reader joins clips, and whose manifests have a key of their own for sound."""
    folder = tmp_path_factory.mktemp("by-joining")
    records = map(json.loads, (hearing / "train.jsonl").read_text().splitlines()[:4])
    clips = [{"wav": str(hearing / each["audio"]), "text": each["text"]} for each in records]
    manifest(folder / "clips.jsonl", clips)
    reader = "{name: joined_speech, sample_rate: 8000, clips: [2, 2], columns: {audio: wav}}"
    return trained(hearing / "toy-speech.yaml", reader, f"{folder}/clips.jsonl", folder / "run")


@pytest.fixture
def corpus(hearing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with sounds in `in` and below it."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.WAV", "c/d.wav", "c/notes.txt", "c/e.flac.part"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(hearing / "test-00.wav", tmp_path / "in" / name)
    return tmp_path


def found(predictor: Predictor, *paths: str, form: Form = "auto") -> list[Example]:
    refused: list[DataError] = []
    find = Sources(predictor, refused.append, form=form)
    examples = [example for path in paths for example in find(Path(path))]
    assert not refused
    return examples


def refused_of(recognizer: Predictor, *paths: str) -> list[str]:
    """What is said of paths of which none can be used."""
    refused: list[DataError] = []
    find = Sources(recognizer, refused.append)
    assert not [example for path in paths for example in find(Path(path))]
    return [str(error) for error in refused]


def names(recognizer: Predictor, *paths: str) -> list[str]:
    examples = found(recognizer, *paths)
    assert all(example.fields["audio"].sample_rate == RATE for example in examples)
    return [sound_name(example) for example in examples]


def test_files_and_folders(corpus: Path, recognizer: Predictor, by_folder: Predictor) -> None:
    for subject in (recognizer, by_folder):
        assert names(subject, "in/b.wav", "in/a.WAV", "in/b.wav") == ["in/b.wav", "in/a.WAV", "in/b.wav"]
        assert names(subject, "in") == ["in/a.WAV", "in/b.wav", "in/c/d.wav"]
        assert names(subject, "in/c/notes.txt") == ["in/c/notes.txt"]  # the content tells what is sound


def test_a_folder_tells_what_it_leaves_out(
    corpus: Path, recognizer: Predictor, caplog: pytest.LogCaptureFixture
) -> None:
    before = names(recognizer, ".")
    Path("talk.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    Path("._talk.wav").write_bytes(b"\0\5\x16\7")
    Path("gone.wav").symlink_to("nowhere.wav")
    caplog.clear()
    assert names(recognizer, ".") == before
    assert caplog.messages == [
        ".: left out are ._talk.wav (a note of macOS), gone.wav (a link to nothing), talk.m4a (not read);"
        " convert it: ffmpeg -i talk.m4a talk.flac"
    ]


def test_a_folder_without_sound(corpus: Path, recognizer: Predictor) -> None:
    (corpus / "empty").mkdir()
    (error,) = refused_of(recognizer, "empty")
    assert error.startswith("empty: no sound in this folder; known endings are .wav, .flac")


def test_lists_start_from_their_folder_and_standard_input_from_the_current_one(
    corpus: Path,
    recognizer: Predictor,
    by_folder: Predictor,
    by_joining: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest(corpus / "in/list.jsonl", [{"audio": "c/d.wav"}, {"audio": "b.wav", "start": 0.1, "end": 0.2}])
    for subject in (recognizer, by_folder, by_joining):
        assert names(subject, "in/list.jsonl") == ["in/c/d.wav", "in/b.wav#0.1-0.2"]
        given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b'{"audio": "in/b.wav", "x": 1}\n')))  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "stdin", given)
        (example,) = found(subject, "-")
        assert sound_name(example) == "in/b.wav"
        assert str(example.place) == "<stdin>:1"
        assert example.origin.record == {"audio": "in/b.wav", "x": 1}


def test_what_the_reader_reads_is_left_to_it(corpus: Path, hearing: Path, recognizer: Predictor) -> None:
    examples = found(recognizer, str(hearing / "test.jsonl"))
    assert len(examples) == 12
    assert examples[0].origin.speaker == "ann"
    (corpus / "in/list.tsv").write_text("audio\nb.wav\n")
    assert names(recognizer, "in/list.tsv") == ["in/b.wav"]


def test_data_is_asked_for(corpus: Path, by_folder: Predictor) -> None:
    assert [sound_name(each) for each in found(by_folder, "in", form="data")] == [
        "in/a.WAV",
        "in/b.wav",
        "in/c/d.wav",
    ]


def test_utterances_of_several_data_files_have_names_of_their_own(corpus: Path, by_digits: Predictor) -> None:
    for name in ("a.digits", "in/a.digits"):
        (corpus / name).write_text("3 1 4\ngenerate new 2\n")
    assert names(by_digits, "a.digits", "in/a.digits", "in/b.wav") == [
        *(f"{file}#{name}" for file in ("a.digits", "in/a.digits") for name in ("line-1", "new-0", "new-1")),
        "in/b.wav",
    ]


def test_what_a_list_says_wrongly_is_refused_and_the_rest_is_found(
    corpus: Path, by_folder: Predictor, recognizer: Predictor
) -> None:
    lines = ['{"audio": "b.wav"}', '{"sound": "b.wav"}', "{", '{"audio": "gone.wav"}', '{"audio": "c/d.wav"}']
    (corpus / "in/list.jsonl").write_text("\n".join(lines) + "\n")
    for subject in (recognizer, by_folder):
        refused: list[DataError] = []
        find = Sources(subject, refused.append)
        examples = subject.answer(find(Path("in/list.jsonl")), refuse=refused.append)
        assert [sound_name(each.example) for each in examples] == ["in/b.wav", "in/c/d.wav"]
        assert [str(error).split(":")[1] for error in refused] == ["2", "3", "4"]
        message = "in/list.jsonl:4: in/gone.wav: cannot be read: no such file or directory"
        assert str(refused[2]) == message


def test_lists_that_cannot_be_read_or_hold_nothing_are_refused(
    corpus: Path, by_folder: Predictor, recognizer: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "empty.jsonl").write_text("\n")
    for subject in (recognizer, by_folder):
        given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"")))  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "stdin", given)
        assert refused_of(subject, "gone.jsonl", "empty.jsonl", "-") == [
            "gone.jsonl: cannot read: No such file or directory",
            "empty.jsonl: no utterances",
            "<stdin>: no utterances",
        ]


def test_what_a_list_holds_before_it_breaks_off_is_found(
    corpus: Path, by_folder: Predictor, recognizer: Predictor
) -> None:
    (corpus / "in/list.jsonl").write_bytes(b'{"audio": "b.wav"}\n\xff\n{"audio": "c/d.wav"}\n')
    for subject in (recognizer, by_folder):
        refused: list[DataError] = []
        find = Sources(subject, refused.append)
        assert [sound_name(each) for each in find(Path("in/list.jsonl"))] == ["in/b.wav"]
        assert [str(error).partition(": not UTF-8")[0] for error in refused] == ["in/list.jsonl:2"]


@pytest.mark.parametrize("name", ["a.wav", "b.FLAC", "c.mp3"])
def test_what_is_named_like_another_kind_of_value_is_told(name: str, tagger: Predictor) -> None:
    assert Sources(tagger, [].append).fault(Path(name)) == (
        "this is named like audio, but the model reads tokens"
    )
    assert not Sources(tagger, [].append, form="text").fault(Path(name))


@pytest.mark.parametrize("name", ["a.txt", "wav", "b.conllu", "-"])
def test_other_names_may_hold_anything(name: str, tagger: Predictor) -> None:
    assert not Sources(tagger, [].append).fault(Path(name))


def test_a_sound_is_no_data_but_where_the_reader_reads_sound(
    recognizer: Predictor, by_folder: Predictor
) -> None:
    find = Sources(recognizer, [].append, form="data")
    assert find.fault(Path("a.WAV")) == "this is named like audio, not like data; leave out --from data"
    assert not find.fault(Path("a.jsonl"))
    assert not Sources(by_folder, [].append, form="data").fault(Path("a.wav"))


# --- lines of text -----------------------------------------------------------------------------------------


@pytest.fixture
def lines(tagger: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Example]]:
    """Write bytes to `in.txt` in the current folder and read it as lines of text."""
    monkeypatch.chdir(tmp_path)

    def read(content: bytes) -> list[Example]:
        Path("in.txt").write_bytes(content)
        return list(Sources(tagger, raised)(Path("in.txt")))

    return read


def raised(error: DataError) -> None:
    raise error


def test_each_line_is_a_value_and_empty_lines_keep_their_place(lines: Callable[..., list[Example]]) -> None:
    read = lines(b"The dog  barks\n\n\t No\xc2\xa0way \n \nlast")
    tokens = [list(each.fields["tokens"]) for each in read]
    assert tokens == [["The", "dog", "barks"], [], ["No", "way"], [], ["last"]]
    assert [each.place for each in read] == [Place("in.txt", line) for line in range(1, 6)]


@pytest.mark.parametrize(
    "content", [b"a b\nc\n", b"a b\nc", b"\xef\xbb\xbfa b\nc\n", b"a b\r\nc\r\n", b"\xef\xbb\xbfa b\r\nc"]
)
def test_byte_order_mark_line_ends_and_a_missing_last_one_change_nothing(
    content: bytes, lines: Callable[..., list[Example]]
) -> None:
    assert [list(each.fields["tokens"]) for each in lines(content)] == [["a", "b"], ["c"]]


def test_no_input_at_all_is_an_error_and_an_empty_line_is_none(lines: Callable[..., list[Example]]) -> None:
    with pytest.raises(DataError, match=r"^in.txt: empty: one value a line is expected$"):
        lines(b"")
    assert [list(each.fields["tokens"]) for each in lines(b"\n")] == [[]]


def test_bad_utf8_names_line_and_byte(lines: Callable[..., list[Example]]) -> None:
    with pytest.raises(DataError) as caught:
        lines(b"fine\nthe caf\xe9 here\n")
    assert str(caught.value) == (
        "in.txt:2: not UTF-8: byte 0xe9 at byte 8 of the line; convert the file to UTF-8"
    )


def test_lines_are_read_one_by_one_and_a_bad_one_is_left_out(tagger: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"a\n\xff\nb\n")
    read = Sources(tagger, raised)(path)
    assert list(next(read).fields["tokens"]) == ["a"]
    with pytest.raises(DataError):
        next(read)
    refused: list[DataError] = []
    examples = list(Sources(tagger, refused.append)(path))
    assert [list(each.fields["tokens"]) for each in examples] == [["a"], ["b"]]
    assert [str(error.place) for error in refused] == [f"{path}:2"]


@pytest.mark.parametrize("form", ["auto", "text"])
def test_files_without_a_line_and_files_that_are_not_there_are_refused(
    form: Form, tagger: Predictor, tmp_path: Path
) -> None:
    """They go to `refuse` as a broken list of sounds does."""
    (tmp_path / "empty.txt").touch()
    refused: list[DataError] = []
    find = Sources(tagger, refused.append, form=form)
    assert not [each for name in ("empty.txt", "gone.txt") for each in find(tmp_path / name)]
    assert [str(error).partition(": ")[2] for error in refused] == [
        "empty: one value a line is expected",
        "cannot read: No such file or directory",
    ]
