"""A new file is whole, or what there is of it is kept under another name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab import SeqlabError
from seqlab.cli.newfile import new_file


def write(path: Path, then: Callable[[], object]) -> None:
    """Write a line to a new file, and let something happen before it is finished."""
    with new_file(path, "--out") as stream:
        stream.write(b"mine\n")
        stream.flush()
        then()


def test_a_failure_of_another_file_is_not_taken_for_one_of_this(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError, match=r"sound\.wav"):
        write(tmp_path / "out", (tmp_path / "sound.wav").read_bytes)
    assert (tmp_path / "out.partial").read_bytes() == b"mine\n"
    assert capsys.readouterr().err == f"kept: {tmp_path}/out.partial holds what was written before\n"


def test_a_file_made_meanwhile_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with pytest.raises(SeqlabError, match="somebody else has made this file"):
        write(out, lambda: out.write_bytes(b"theirs"))
    assert (out.read_bytes(), (tmp_path / "out.partial").read_bytes()) == (b"theirs", b"mine\n")
    assert "kept: " in capsys.readouterr().err


def test_a_partial_file_that_is_gone_hides_no_error(tmp_path: Path) -> None:
    def fail() -> None:
        (tmp_path / "out.partial").unlink()
        raise LookupError("the error")

    with pytest.raises(LookupError, match="the error"):
        write(tmp_path / "out", fail)
    assert not list(tmp_path.iterdir())
