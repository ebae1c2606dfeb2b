from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import tone, write

from seqlab.api import DataError, Example, ReaderContext
from seqlab.builtin.speech.plugin import seqlab_register_readers
from seqlab.builtin.speech.readers.utterances import SpeechReader


def reader(name: str, refused: list[DataError] | None = None, **settings: Any) -> SpeechReader:
    """Make a reader as a recipe does; without a list, what is refused is raised."""
    (component,) = (each for each in seqlab_register_readers() if each.name == name)
    context = ReaderContext() if refused is None else ReaderContext(refused.append)
    built = component.build(component.config(**settings), context)
    assert isinstance(built, SpeechReader)
    return built


def facts(examples: list[Example]) -> list[tuple[str, str | None, str, float]]:
    """Id, speaker, text and seconds of each."""
    return [
        (each.origin.id, each.origin.speaker, each.fields["text"], each.fields["audio"].duration)
        for each in examples
    ]


def told(errors: list[DataError], folder: Path) -> list[str]:
    return [str(error).replace(f"{folder}/", "") for error in errors]


# --- a folder ----------------------------------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for speaker, name, text in [
        ("ann", "b.wav", "two\n"),
        ("ann", "a.flac", "one"),
        ("ben", "c.OGG", "\ufeffthree"),
    ]:
        path = tmp_path / speaker / name
        write(path.with_suffix(path.suffix.lower()), tone(1.0)).rename(path)
        path.with_suffix(".txt").write_text(text)
    return tmp_path


def test_sound_with_text_beside_it(recordings: Path) -> None:
    (example,) = reader("audio_folder", speaker="folder").read(recordings / "ann" / "b.wav")
    assert facts([example]) == [(f"{recordings}/ann/b.wav", "ann", "two", 1.0)]
    assert str(example.place) == f"{recordings}/ann/b.wav"


def test_a_folder_is_all_the_sound_below_it(recordings: Path) -> None:
    examples = list(reader("audio_folder").read(recordings))
    assert [each.fields["text"] for each in examples] == ["one", "two", "three"]
    assert {each.origin.speaker for each in examples} == {None}


def test_texts_may_have_another_ending_and_are_not_needed_without_labels(recordings: Path) -> None:
    path = recordings / "ann" / "b.wav"
    path.with_suffix(".lab").write_text("zwei")
    (example,) = reader("audio_folder", text_suffix=".lab").read(path)
    assert example.fields["text"] == "zwei"
    path.with_suffix(".txt").unlink()
    (bare,) = reader("audio_folder").read(path, labelled=False)
    assert set(bare.fields) == {"audio"}


def test_faults_of_a_folder(recordings: Path) -> None:
    (recordings / "ann" / "a.txt").unlink()
    (recordings / "ann" / "b.txt").write_bytes(b"ok\n\xff")
    (recordings / "ben" / "c.OGG").write_bytes(b"")
    refused: list[DataError] = []
    assert list(reader("audio_folder", refused).read(recordings)) == []
    assert told(refused, recordings) == [
        "ann/a.flac: no text beside it; expected a file a.txt",
        "ann/b.txt:2: not UTF-8: byte 0xff at byte 1 of the line; convert the file to UTF-8",
        "ben/c.OGG: empty: the file has 0 bytes",
    ]
    with pytest.raises(DataError, match=r"b.txt: not the name of a sound file; name the sound files only"):
        list(reader("audio_folder").read(recordings / "ann" / "b.txt"))


def test_a_folder_names_what_it_leaves_out(recordings: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("._b.txt", "._b.wav", "talk.m4a"):
        (recordings / "ann" / name).write_text("no sound")
    (recordings / "ann" / "gone.wav").symlink_to("nowhere.wav")
    examples = list(reader("audio_folder").read(recordings))
    assert [each.fields["text"] for each in examples] == ["one", "two", "three"]
    assert caplog.messages == [
        f"{recordings}: left out are ann/._b.wav (a note of macOS), ann/gone.wav (a link to nothing),"
        f" ann/talk.m4a (not read);"
        f" convert it: ffmpeg -i {recordings}/ann/talk.m4a {recordings}/ann/talk.flac"
    ]


@pytest.mark.parametrize("one_by_one", [False, True], ids=["folder", "files"])
def test_texts_without_sound_are_named_in_one_line_however_the_sound_is_given(
    recordings: Path, caplog: pytest.LogCaptureFixture, *, one_by_one: bool
) -> None:
    folder = recordings / "ann"
    for name in ("README.txt", "LICENSE.txt", "._b.txt", "c\nd.txt", *(f"{n}.txt" for n in range(9))):
        (folder / name).write_text("no sound")
    subject = reader("audio_folder")
    paths = [folder / "a.flac", folder / "b.wav"] if one_by_one else [folder]
    examples = [example for path in paths for example in subject.read(path)]
    assert [each.fields["text"] for each in examples] == ["one", "two"]
    named = ", ".join(f"{n}.txt" for n in range(8))
    assert caplog.messages == [
        f"{folder}: left out are texts without sound beside them, 10 in all: {named} and 2 more"
    ]


def test_the_texts_below_a_folder_are_named_from_it(
    recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (recordings / "ann" / "lost\n.txt").write_text("no sound")
    assert len(list(reader("audio_folder").read(recordings))) == 3
    assert caplog.messages == [
        rf"{recordings}: left out are texts without sound beside them, 1 in all: ann/lost\n.txt"
    ]


def test_a_folder_of_texts_alone_holds_no_utterance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(DataError, match="no utterances"):
        list(reader("audio_folder").read(tmp_path))
    assert caplog.messages[0].endswith("1 in all: a.txt")


def test_a_file_of_a_format_that_is_not_read_can_be_skipped(recordings: Path) -> None:
    talk = recordings / "talk.m4a"
    talk.write_bytes(b"\0\0\0\x20ftypM4A ")
    refused: list[DataError] = []
    assert list(reader("audio_folder", refused).read(talk)) == []
    flac = recordings / "talk.flac"
    assert told(refused, recordings) == [
        "talk.m4a: not a format that is read; convert it: ffmpeg -i talk.m4a talk.flac"
    ]
    assert str(flac) in str(refused[0])


# --- LibriSpeech -------------------------------------------------------------------------------------------


def test_librispeech(tmp_path: Path) -> None:
    folder = tmp_path / "dev" / "84" / "121"
    write(folder / "84-121-0000.flac", tone(1.0))
    write(folder / "84-121-0001.wav", tone(2.0))
    transcripts = folder / "84-121.trans.txt"
    transcripts.write_text("84-121-0000 GO  ON\n84-121-0001 THEN\n84-121-0002 LOST\n84-121-0003\n")
    write(folder / "84-121-0003.flac", tone(1.0))
    refused: list[DataError] = []
    subject = reader("librispeech", refused, normalize={"case": "lower"})
    for path in (transcripts, tmp_path / "dev"):
        refused.clear()
        found = facts(list(subject.read(path)))
        assert found == [("84-121-0000", "84", "go on", 1.0), ("84-121-0001", "84", "then", 2.0)]
        assert told(refused, folder) == [
            "84-121.trans.txt:3: no sound for '84-121-0002'; expected 84-121-0002.flac beside it",
            "84-121.trans.txt:4: the text is empty",
        ]
    write(folder / "84-121-0009.flac", tone(1.0))
    write(folder / "84-122-0000.flac", tone(1.0))  # of another chapter
    refused.clear()
    list(subject.read(transcripts))
    assert told(refused, folder)[2:] == ["84-121-0009.flac: no line for it in 84-121.trans.txt"]
    with pytest.raises(
        DataError, match=r"not the name of transcripts of LibriSpeech, which end in .trans.txt"
    ):
        list(subject.read(folder / "84-121-0000.flac"))


# --- Common Voice ------------------------------------------------------------------------------------------


def test_common_voice(tmp_path: Path) -> None:
    write(tmp_path / "clips" / "cv_1.mp3", tone(1.0, 48_000), 48_000)
    write(tmp_path / "clips" / "cv_2.mp3", tone(2.0, 48_000), 48_000)
    (tmp_path / "train.tsv").write_text(
        "client_id\tpath\tsentence\tup_votes\tage\n"
        'ann\tcv_1.mp3\tHe said: "Go."\t2\t\nben\tcv_2\tStop!\t2\ttwenties\ncy\tcv_3.mp3\tWhere?\t2\t\n'
    )
    refused: list[DataError] = []
    subject = reader("common_voice", refused, normalize={"remove": '.!":'})
    examples = list(subject.read(tmp_path / "train.tsv"))
    assert facts(examples) == [("cv_1.mp3", "ann", "He said Go", 1.0), ("cv_2", "ben", "Stop", 2.0)]
    assert told(refused, tmp_path) == [
        f"train.tsv:4: {'clips/cv_3.mp3: cannot be read: no such file or directory'}"
    ]
    written = json.loads(subject.write(examples[1], {"text": "halt"}))
    assert written == {
        "client_id": "ben",
        "path": "cv_2",
        "sentence": "halt",
        "up_votes": "2",
        "age": "twenties",
    }


# --- Kaldi -------------------------------------------------------------------------------------------------


def kaldi(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / ("wav.scp" if name == "scp" else name)).write_text(text)
    return folder / "wav.scp"


def test_kaldi_without_segments(tmp_path: Path) -> None:
    write(tmp_path / "wav" / "a.wav", tone(1.0))
    write(tmp_path / "wav" / "b.sph", tone(2.0, 8000), 8000)
    path = kaldi(
        tmp_path,
        scp=f"b  wav/b.sph\na {tmp_path}/wav/a.wav\n",
        text="a ONE\tMORE\nb TWO\n",
        utt2spk="a ann\nb ben\n",
    )
    wanted = [("b", "ben", "TWO", 2.0), ("a", "ann", "ONE MORE", 1.0)]
    assert facts(list(reader("kaldi").read(path))) == wanted
    assert facts(list(reader("kaldi").read(tmp_path))) == wanted
    (tmp_path / "text").unlink()
    (tmp_path / "utt2spk").unlink()
    found = list(reader("kaldi").read(path, labelled=False))
    assert [(each.origin.id, each.origin.speaker, set(each.fields)) for each in found] == [
        ("b", None, {"audio"}),
        ("a", None, {"audio"}),
    ]


def test_kaldi_names_texts_without_sound_and_sound_without_texts(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(1.0))
    path = kaldi(tmp_path, scp="u0 a.wav\nu1 a.wav\n", text="u0 aei\nu2 no sound\nu3 none\n")
    refused: list[DataError] = []
    assert len(list(reader("kaldi", refused).read(path))) == 1
    assert told(refused, tmp_path) == [
        "wav.scp:2: utterance 'u1' is not in text",
        "text:2: utterance 'u2' has no sound: it is not in wav.scp",
        "text:3: utterance 'u3' has no sound: it is not in wav.scp",
    ]
    kaldi(tmp_path, segments="u0 u0 0 0.5\n")
    refused.clear()
    assert len(list(reader("kaldi", refused).read(path))) == 1
    assert told(refused, tmp_path) == [
        "text:2: utterance 'u2' has no sound: it is not in segments",
        "text:3: utterance 'u3' has no sound: it is not in segments",
        "wav.scp:2: recording 'u1' has no utterance: it is not in segments",
    ]


def test_kaldi_segments(tmp_path: Path) -> None:
    samples = np.concatenate([tone(1.0, pitch=300.0), tone(1.0, pitch=600.0)])
    write(tmp_path / "call.flac", samples)
    path = kaldi(
        tmp_path, scp="call call.flac\n", text="u2 two\nu1 one\n", segments="u1 call 0 1.0\nu2 call 1.0 -1\n"
    )
    examples = list(reader("kaldi").read(path))
    assert facts(examples) == [("u1", None, "one", 1.0), ("u2", None, "two", 1.0)]
    assert np.abs(examples[1].fields["audio"].samples() - samples[16_000:]).max() < 1e-4
    assert str(examples[1].place) == f"{tmp_path}/segments:2"
    written = json.loads(reader("kaldi").write(examples[0], {"text": "uno"}))
    assert written == {"audio": "call.flac", "text": "uno", "id": "u1", "end": 1.0}


def test_faults_of_single_utterances_in_kaldi(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(1.0))
    path = kaldi(
        tmp_path,
        scp="good a.wav\npipe sph2pipe x.sph |\nbare\n",
        text="u1 one\nu2 two\nu3 three\nu5 five\nu6 six\nu7 seven\nu8 eight\n",
        segments=(
            "u1 good 0 0.5\nu2 pipe 0 1\nu3 none 0 1\nu4 good 0 1\nu5 good zero 1\nu6 good 0.5 9\n"
            "u7 bare 0 1\nu8 good 0 1 A\nu1 good 0.5 1\n"
        ),
    )
    refused: list[DataError] = []
    assert [row[0] for row in facts(list(reader("kaldi", refused).read(path)))] == ["u1"]
    assert told(refused, tmp_path) == [
        "segments:2: 'pipe' is a command (sph2pipe x.sph |), which is not run; write its output to a file",
        "segments:3: recording 'none' of 'u3' is not in wav.scp",
        "segments:4: utterance 'u4' is not in text",
        "segments:5: expected 'utterance recording start end' in seconds, got u5 good zero 1",
        "segments:6: a.wav: end at 9 s; it must lie after the start at 0.5 s, up to 1 s",
        "segments:7: 'bare' has no path in wav.scp",
        "segments:8: segment 'u8' names a channel, A; choose one by the key channel",
        "segments:9: utterance 'u1' is listed twice, first at segments:1; ids must differ",
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"scp": "a a.wav\na b.wav\n", "text": "a x\n"},
            "wav.scp:2: 'a' is listed twice, first at wav.scp:1",
        ),
        ({"scp": "a a.wav\n", "text": "a x\na y\n"}, "text:2: 'a' is listed twice, first at text:1"),
        ({"scp": "a a.wav\n"}, "text: cannot read: No such file or directory"),
        ({"scp": "", "text": ""}, "wav.scp: no utterances"),
    ],
)
def test_what_spoils_a_whole_folder_of_kaldi(tmp_path: Path, files: dict[str, str], message: str) -> None:
    path = kaldi(tmp_path, **files)
    with pytest.raises(DataError) as caught:
        list(reader("kaldi", []).read(path))
    assert told([caught.value], tmp_path) == [message]


CR_AT = "holds a CR, which may be the end of a line; convert them, say with: tr '\\r' '\\n' < OLD > NEW"


@pytest.mark.parametrize("name", ["wav.scp", "text", "segments", "utt2spk"])
@pytest.mark.parametrize("mixed", [False, True], ids=["CR", "CR and LF"])
def test_a_table_with_cr_in_it_is_never_read_as_fewer_lines(
    tmp_path: Path, name: str, *, mixed: bool
) -> None:
    write(tmp_path / "a.wav", tone(1.0))
    lines = {"wav.scp": "{} a.wav", "text": "{} one", "segments": "{} u0 0 0.5", "utt2spk": "{} ann"}
    for each, line in lines.items():
        whole = "".join(line.format(f"u{number}") + "\r\n" for number in range(3))
        (tmp_path / each).write_text(whole, newline="")
    assert len(list(reader("kaldi", []).read(tmp_path))) == 3
    crs = (tmp_path / name).read_bytes().replace(b"\r\n", b"\r")
    (tmp_path / name).write_bytes(crs.replace(b"\ru2", b"\nu2") if mixed else crs)
    with pytest.raises(DataError) as caught:
        list(reader("kaldi", []).read(tmp_path))
    (message,) = told([caught.value], tmp_path)
    assert message == f"{name}:1: {CR_AT}" if mixed else message.startswith(f"{name}: no line ends in LF: ")


@pytest.mark.parametrize("between", [b"\r", b"\n"])
def test_transcripts_of_librispeech_with_cr_in_them_are_refused(tmp_path: Path, between: bytes) -> None:
    for number in range(3):
        write(tmp_path / f"1-2-{number}.flac", tone(1.0))
    (tmp_path / "1-2.trans.txt").write_bytes(b"1-2-0 ONE\r1-2-1 TWO" + between + b"1-2-2 THREE\r\n")
    with pytest.raises(DataError) as caught:
        list(reader("librispeech", []).read(tmp_path))
    assert told([caught.value], tmp_path) == [f"1-2.trans.txt:1: {CR_AT}"]


def test_kaldi_is_named_by_its_wav_scp(tmp_path: Path) -> None:
    kaldi(tmp_path, scp="a a.wav\n", text="a x\n")
    with pytest.raises(DataError, match=r"text: a data folder of Kaldi is named by its wav.scp"):
        list(reader("kaldi").read(tmp_path / "text"))


# --- names and texts of all kinds --------------------------------------------------------------------------


def test_an_ending_of_texts_may_have_two_parts(tmp_path: Path) -> None:
    for name in ("1_a", "1.b"):
        write(tmp_path / f"{name}.wav", tone(1.0))
        (tmp_path / f"{name}.normalized.txt").write_text("one")
        (tmp_path / f"{name}.original.txt").write_text("One.")
    refused: list[DataError] = []
    examples = list(reader("audio_folder", refused, text_suffix=".normalized.txt").read(tmp_path))
    assert [each.fields["text"] for each in examples] == ["one", "one"]
    assert refused == []


def test_the_text_of_sound_that_is_left_out_is_no_second_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.wav", tone(1.0))
    (tmp_path / "b.m4a").write_bytes(b"other")
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("one")
    assert len(list(reader("audio_folder").read(tmp_path))) == 1
    assert "left out are b.m4a (not read)" in caplog.text
    caplog.clear()
    assert len(list(reader("audio_folder").read(tmp_path / "a.wav"))) == 1
    assert caplog.text == ""


def test_a_text_whose_line_ends_are_cr_alone_is_one_utterance_refused(tmp_path: Path) -> None:
    for name, text in (("a", b"one\rtwo\r"), ("b", b"three\r")):
        write(tmp_path / f"{name}.wav", tone(1.0))
        (tmp_path / f"{name}.txt").write_bytes(text)
    refused: list[DataError] = []
    (example,) = reader("audio_folder", refused).read(tmp_path)
    assert example.fields["text"] == "three"
    (error,) = told(refused, tmp_path)
    assert error.startswith("a.txt")
    assert "CR alone" in error


def test_notes_of_macos_are_no_transcripts(tmp_path: Path) -> None:
    write(tmp_path / "1-2-0000.flac", tone(1.0))
    (tmp_path / "1-2.trans.txt").write_text("1-2-0000 ONE\n")
    (tmp_path / "._1-2.trans.txt").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    assert len(list(reader("librispeech").read(tmp_path))) == 1
