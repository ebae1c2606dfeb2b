"""Only regular files are opened: nothing else can hang or flood a command."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from seqlab.openfile import create_new, open_regular, open_to_append, partial_name, read_regular


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file") == read_regular(tmp_path / "link") == b"content"


def test_a_missing_file_stays_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_anything_else_is_refused_at_once_and_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, what in {"fifo": "a FIFO", "zero": "a device", ".": "a folder"}.items():
            with pytest.raises(OSError, match=f"it is {what}, and only regular files are read"):
                open_regular(tmp_path / name)
        with pytest.raises(OSError, match=r"No such device|a socket"):
            open_regular(tmp_path / "socket")


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError, match="a folder"):
            open_regular(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_made_new_never_takes_the_place_of_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("file", "link", "dangling"):
        with pytest.raises(FileExistsError):
            create_new(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nothing").exists()
    with create_new(tmp_path / "new") as file:
        file.write(b"content")
    assert (tmp_path / "new").read_bytes() == b"content"


def test_names_of_what_is_not_whole_cannot_be_foreseen(tmp_path: Path) -> None:
    names = {partial_name(tmp_path / "a.json").name for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("a.json.") and name.endswith(".partial") for name in names)


@pytest.mark.parametrize(("names", "allowed"), [(0, True), (1, True), (2, False)])
def test_a_file_system_that_counts_no_names_is_appended_to(
    names: int, allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    told = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = list(told(descriptor))
        status[stat.ST_NLINK] = names
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", fstat)
    with nullcontext() if allowed else pytest.raises(OSError, match="second name"):
        open_to_append(tmp_path / "file").close()


def test_what_is_appended_reaches_no_other_name(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "hard").hardlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / "fifo")
    reasons = {
        "link": "it is a link, and no link is written through",
        "dangling": "it is a link, and no link is written through",
        "hard": r"it has a second name \(a hard link\)",
        "fifo": r"No such device|no regular file",
    }
    for name, reason in reasons.items():
        with pytest.raises(OSError, match=reason):
            open_to_append(tmp_path / name)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "nothing").exists()
    for _ in range(2):
        with open_to_append(tmp_path / "new") as file:
            file.write(b"line\n")
    assert (tmp_path / "new").read_bytes() == b"line\nline\n"
