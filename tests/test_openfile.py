"""Only regular files are opened: nothing else can hang or flood a command."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from seqlab.openfile import open_regular, read_regular


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
