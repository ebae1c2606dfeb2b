from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from sounds import manifest

from seqlab.api import DataError
from seqlab.audio import Declared
from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout
from seqlab.builtin.speech.readers.utterances import ListedUtterance


def read(path: Path, *, labelled: bool = True, **columns: str) -> list[ListedUtterance | DataError]:
    return list(ManifestLayout(Columns(**columns)).entries(path, labelled=labelled))


def one(path: Path, *, labelled: bool = True, **columns: str) -> ListedUtterance:
    (entry,) = read(path, labelled=labelled, **columns)
    assert isinstance(entry, ListedUtterance), entry
    return entry


def errors(path: Path, *, labelled: bool = True, **columns: str) -> list[str]:
    found = read(path, labelled=labelled, **columns)
    return [str(each).removeprefix(str(path)) for each in found if isinstance(each, DataError)]


FULL = {
    "audio": "wav/a.wav",
    "text": "yes, »no«",
    "start": 0.5,
    "end": 2,
    "speaker": "ann",
    "id": "a-1",
    "sample_rate": 8000,
    "duration": 1.5,
    "mood": ["glad"],
}


def test_every_key(tmp_path: Path) -> None:
    entry = one(manifest(tmp_path / "m.jsonl", [FULL]))
    assert str(entry.place) == f"{tmp_path}/m.jsonl:1"
    assert entry.audio == tmp_path / "wav/a.wav"
    assert (entry.text, entry.start, entry.end) == ("yes, »no«", 0.5, 2.0)
    assert (entry.origin.id, entry.origin.speaker, entry.origin.record) == ("a-1", "ann", FULL)
    assert entry.declared == Declared(sample_rate=8000, duration=1.5)


def test_path_and_text_are_enough_and_the_path_is_the_id(tmp_path: Path) -> None:
    entry = one(manifest(tmp_path / "m.json", [{"audio": "/data/a.wav", "text": "yes"}]))
    assert entry.audio == Path("/data/a.wav")
    assert (entry.start, entry.end, entry.declared) == (0.0, None, Declared())
    assert (entry.origin.id, entry.origin.speaker) == ("/data/a.wav", None)


def test_stretches_of_one_file_have_ids_of_their_own(tmp_path: Path) -> None:
    lines = [
        {"audio": "a.wav", "text": "x", "start": start, "end": end} for start, end in ((0, 1), (1.5, None))
    ]
    found = read(manifest(tmp_path / "m.jsonl", lines))
    assert [entry.origin.id for entry in found if isinstance(entry, ListedUtterance)] == [
        "a.wav#0-1",
        "a.wav#1.5-",
    ]


def test_a_start_and_a_duration_make_an_end(tmp_path: Path) -> None:
    record = {"audio_filepath": "a.wav", "text": "x", "offset": 2.5, "duration": 1.25}
    entry = one(manifest(tmp_path / "m.json", [record]), audio="audio_filepath", start="offset")
    assert (entry.start, entry.end, entry.declared) == (2.5, 3.75, Declared())


TABLES = [
    ("m.tsv", 'path\tsaid\twho\twhen\na.wav\t"so, he" said\tann\t\n\nb.wav\tno\tben\t0.5\n'),
    ("m.csv", 'path,said,who,when\r\na.wav,"""so, he"" said",ann,\r\n\r\nb.wav,no,ben,0.5\r\n'),
]


@pytest.mark.parametrize(("name", "text"), TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_tables_with_names_of_their_own(tmp_path: Path, name: str, text: str, *, packed: bool) -> None:
    path = tmp_path / (name + ".gz" if packed else name)
    data = b"\xef\xbb\xbf" + text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    first, second = read(path, audio="path", text="said", speaker="who", start="when")
    assert isinstance(first, ListedUtterance)
    assert isinstance(second, ListedUtterance)
    assert (first.text, first.origin.speaker, first.start) == ('"so, he" said', "ann", 0.0)
    assert (second.text, second.origin.speaker, second.start) == ("no", "ben", 0.5)
    assert [entry.place.line for entry in (first, second)] == [2, 4]
    assert first.origin.record == {"path": "a.wav", "said": '"so, he" said', "who": "ann", "when": ""}
    assert (first.origin.audio_key, first.origin.text_key) == ("path", "said")


def test_a_csv_row_over_several_lines_stands_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text('audio,text\na.wav,"one\ntwo"\nb.wav,three\n')
    first, second = read(path)
    assert isinstance(first, ListedUtterance)
    assert first.text == "one\ntwo"
    assert [each.place.line for each in (first, second) if each.place] == [2, 4]


def test_without_labels_the_text_may_be_absent(tmp_path: Path) -> None:
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav"}])
    assert one(path, labelled=False).text is None
    (found,) = errors(path)
    assert found.startswith(":1: missing key 'text'; there are: audio; columns: {text: null}")


def test_standard_input_holds_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BufferedReader(io.BytesIO(b'{"audio": "a.wav", "text": "yes"}\n'))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    entry = one(Path("-"))
    assert (entry.audio, str(entry.place)) == (Path("a.wav"), "<stdin>:1")


# --- what is wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"audio": "a.wav", "text": "x"', ":2:31: bad JSON: expecting ',' delimiter"),
        ("a.wav yes", ":2:1: bad JSON: expecting value"),
        ("[" * 100_000, ":2: bad JSON: "),
        (
            '{"audio": "a.wav", "audio": "b.wav", "text": "x"}',
            ":2: bad JSON: key 'audio' stands twice in one object",
        ),
        ('["a.wav", "x"]', ':2: expected a JSON object, got ["a.wav", "x"]'),
        ('{"audoi": "a.wav", "text": "x"}', ":2: missing key 'audio'; did you mean 'audoi'?"),
        ('{"path": "a.wav", "text": "x"}', ":2: missing key 'audio'; there are: path, text"),
        ('{"audio": 5, "text": "x"}', ":2: 'audio' must be a string, got 5"),
        ('{"audio": "", "text": "x"}', ":2: 'audio' must be the path of a sound file, got nothing"),
        ('{"audio": null, "text": "x"}', ":2: 'audio' must be the path of a sound file, got nothing"),
        ('{"audio": "a.wav", "text": 5}', ":2: 'text' must be a string, got 5"),
        (
            '{"audio": "a.wav", "text": "x", "start": "soon"}',
            ":2: 'start' must be a number, at least 0, got \"soon\"",
        ),
        (
            '{"audio": "a.wav", "text": "x", "start": true}',
            ":2: 'start' must be a number, at least 0, got true",
        ),
        ('{"audio": "a.wav", "text": "x", "end": -1}', ":2: 'end' must be a number, at least 0, got -1"),
        ('{"audio": "a.wav", "text": "x", "end": NaN}', ":2: 'end' must be a number, at least 0, got NaN"),
        (
            '{"audio": "a.wav", "text": "x", "end": 1e999}',
            ":2: 'end' must be a number, at least 0, got Infinity",
        ),
        (
            '{"audio": "a.wav", "text": "x", "sample_rate": 8000.5}',
            ":2: 'sample_rate' must be a whole number of Hz, got 8000.5",
        ),
        ('{"audio": "a.wav", "text": "x", "id": true}', ":2: 'id' must be a string, got true"),
        ('{"audio": "a.wav", "text": "x", "speaker": ["a"]}', ":2: 'speaker' must be a string, got [\"a\"]"),
    ],
)
def test_a_broken_line_names_itself_and_the_others_are_read(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "m.jsonl"
    good = '{"audio": "a.wav", "text": "yes"}\n'
    path.write_text(good + line + "\n\n" + good)
    found = read(path)
    assert [type(each) for each in found] == [ListedUtterance, DataError, ListedUtterance]
    (told,) = errors(path)
    assert told.startswith(message) if message.endswith(": ") else told == message


def test_a_name_that_was_chosen_must_be_there(tmp_path: Path) -> None:
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "text": "x", "speaker_id": "ann"}])
    assert one(path).origin.speaker is None
    assert one(path, speaker="speaker_id").origin.speaker == "ann"
    assert errors(path, speaker="speaker-id") == [":1: missing key 'speaker-id'; did you mean 'speaker_id'?"]
    unlabelled = ManifestLayout(Columns(speaker="speaker-id", text="norm")).entries(path, labelled=False)
    assert [type(each) for each in unlabelled] == [ListedUtterance]


@pytest.mark.parametrize("name", ["m.tsv", "m.csv"])
def test_a_row_with_too_few_or_too_many_columns(tmp_path: Path, name: str) -> None:
    sign = "\t" if name == "m.tsv" else ","
    path = tmp_path / name
    path.write_text("audio,text\na.wav\na.wav,x,y\na.wav,x\n".replace(",", sign))
    wanted = "expected 2 columns as the first line names them, found"
    assert errors(path) == [f":2: {wanted} 1", f":3: {wanted} 3"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.tsv", "audio\taudio\n", ":1: the first line must name each column once, got: audio, audio"),
        ("m.csv", "audio,,text\n", ":1: the first line must name each column once, got: audio, , text"),
        (
            "m.csv",
            'audio,text\na,b\na,"b\n',
            ":3: bad CSV: unexpected end of data; quotes are doubled within quotes",
        ),
        (
            "m.csv",
            'audio,text\na,"b"c\n',
            ":2: bad CSV: ',' expected after '\"'; quotes are doubled within quotes",
        ),
        (
            "m.jsonl",
            b"\xff\xfe{",
            ":1: not UTF-8: byte 0xff at byte 1 of the line; convert the file to UTF-8",
        ),
        ("m.txt", "a", ": not the name of a manifest; it must end in one of: .jsonl, .json, .tsv, .csv"),
    ],
)
def test_what_spoils_the_whole_file_is_raised(tmp_path: Path, name: str, text: Any, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_folder_and_sound_are_told_from_manifests(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    wanted = "not the name of a manifest; it must end in one of: .jsonl, .json, .tsv, .csv"
    for name, what in (("clips", "a folder"), ("a.FLAC", "named like sound")):
        with pytest.raises(DataError) as caught:
            read(tmp_path / name)
        assert str(caught.value) == f"{tmp_path}/{name}: {what}, {wanted}"


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read: No such file"):
        read(tmp_path / "m.jsonl")
