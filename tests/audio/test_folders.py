from __future__ import annotations

import os
from pathlib import Path

import pytest
from sounds import tone, write

from seqlab.audio.folders import is_named_like_sound, sounds_below


def test_sound_is_found_at_any_depth_and_sorted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = [write(tmp_path / name, tone(0.1)) for name in ("a/b.wav", "a/c/d.flac", "e.ogg")]
    (tmp_path / "a/b.txt").write_text("a text")
    (tmp_path / "f.WAV").symlink_to(tmp_path / "a/b.wav")
    assert sounds_below(tmp_path) == [*wanted, tmp_path / "f.WAV"]
    assert not caplog.messages


def test_what_is_left_out_is_told_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "good.wav", tone(0.1))
    for name in ("a b.m4a", "b.webm", "c.wma", "d.mp4", "d.aac", "d.mid", "d.ra", "._good.wav"):
        (tmp_path / name).write_bytes(b"any")
    (tmp_path / "e.wav").symlink_to("nowhere")
    os.mkfifo(tmp_path / "f.wav")
    (tmp_path / "z.wav").symlink_to("/dev/zero")
    assert sounds_below(tmp_path) == [tmp_path / "good.wav"]
    (line,) = caplog.messages
    assert line == (
        f"{tmp_path}: left out are ._good.wav (a note of macOS), a b.m4a (not read), b.webm (not read),"
        " c.wma (not read), d.aac (not read), d.mid (not read), d.mp4 (not read), d.ra (not read) and 3 more;"
        f" convert it: ffmpeg -i '{tmp_path}/a b.m4a' '{tmp_path}/a b.flac'"
    )


@pytest.mark.parametrize(
    ("name", "is_sound"),
    [("a.wav", True), ("a.OGG", True), ("._a.wav", False), ("a.m4a", False), ("wav", False)],
)
def test_names(name: str, *, is_sound: bool) -> None:
    assert is_named_like_sound(Path("folder") / name) is is_sound


def test_a_line_end_in_a_name_ends_no_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a\nb.m4a").write_bytes(b"any")
    assert sounds_below(tmp_path) == []
    assert r"left out are a\nb.m4a (not read)" in caplog.messages[0]
