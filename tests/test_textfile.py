from __future__ import annotations

import gzip
import io
import os
import sys
import tracemalloc
from pathlib import Path

import pytest
from sounds import tone, write

from seqlab.api import DataError, Place
from seqlab.textfile import byte_lines, decode, file_name

TEXT = b"eins\nzwei\r\ndrei"
LINES = [b"eins\n", b"zwei\r\n", b"drei"]


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT, mtime=0)])
def test_lines_of_files_and_of_standard_input(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert list(byte_lines(path)) == LINES
    given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", given)
    assert list(byte_lines(Path("-"))) == LINES
    assert not given.closed


def test_names() -> None:
    assert (file_name(Path("a/b.txt")), file_name(Path("-"))) == ("a/b.txt", "<stdin>")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_sound_is_told_from_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / name, tone(0.5)).rename(tmp_path / "a.txt")
    given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(path.read_bytes())))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", given)
    for source in (path, Path("-")):
        with pytest.raises(DataError) as caught:
            next(byte_lines(source))
        kind = name.rpartition(".")[2].upper()
        assert str(caught.value) == (
            f"{file_name(source)}: this is sound ({kind}), but lines of text are read here; to transcribe it,"
            " name its file: seqlab predict MODEL FILE, without --from, of a model that reads sound"
        )


def test_a_folder_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        next(byte_lines(tmp_path))
    assert str(caught.value) == f"{tmp_path}: this is a folder; name the files in it, {tmp_path}/* say"


def test_what_is_no_utf8_is_named_by_line_and_byte() -> None:
    with pytest.raises(DataError, match=r"^a:8: not UTF-8: byte 0xe9 at byte 4 of the line; convert"):
        decode(b"fine\ncaf\xe9\n", Place("a", 7))


def test_a_line_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"short\n")
        for _ in range(64):
            stream.write(bytes(1 << 20))
    lines = byte_lines(path)
    assert next(lines) == b"short\n"
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.jsonl\.gz:2: the line is longer than 16 MiB"):
        next(lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 << 20


@pytest.mark.parametrize(("target", "what"), [("/dev/zero", "a device"), (None, "a FIFO")])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, target: str | None, what: str) -> None:
    path = tmp_path / "a.jsonl"
    path.symlink_to(target) if target else os.mkfifo(path)
    with pytest.raises(DataError, match=f"cannot read: it is {what}, and only regular files are read"):
        next(byte_lines(path))
