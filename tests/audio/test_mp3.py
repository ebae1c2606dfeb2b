from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import tone

from seqlab.api import DataError
from seqlab.audio import Source
from seqlab.audio.mp3 import Count, count

FRAMES = {44_100: 1152, 22_050: 576, 16_000: 576, 8_000: 576}
"""Samples in one frame by the rate."""


def encoded(path: Path, rate: int, mode: str, seconds: float = 3.0) -> bytes:
    """An MP3 file whose sound grows, so that a variable bit rate varies."""
    noise = np.random.default_rng(1).normal(size=round(seconds * rate)) * 0.05
    samples = (tone(seconds, rate) + noise) * np.linspace(0, 1, len(noise))
    soundfile.write(path, samples, rate, bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


def untold(data: bytes) -> bytes:
    """The file without the first frame, which tells how many follow."""
    mark = max(data.find(b"Xing"), data.find(b"Info"))
    assert mark > 0
    return data[data.index(data[:2], mark) :]


def counted(data: bytes) -> Count | None:
    return count(io.BytesIO(data), len(data))


def decodable(data: bytes) -> int:
    source = Source(data)
    return sum(map(len, source.blocks(0, source.header.frames)))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", FRAMES)
def test_a_file_that_tells_its_length_is_read_to_the_last_sample(
    tmp_path: Path, rate: int, mode: str
) -> None:
    data = encoded(tmp_path / "a.mp3", rate, mode)
    assert counted(data) is None
    assert decodable(data) == 3 * rate


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", FRAMES)
def test_frames_are_counted_where_none_tells_their_number(tmp_path: Path, rate: int, mode: str) -> None:
    found = counted(untold(encoded(tmp_path / "a.mp3", rate, mode)))
    assert found
    assert found.frame == FRAMES[rate]
    assert found.samples % found.frame == found.missing == 0
    assert 3 * rate <= found.samples <= 3 * rate + 4 * found.frame  # the encoder's delay and padding


@pytest.mark.parametrize("rate", FRAMES)
def test_a_constant_bit_rate_needs_no_telling(tmp_path: Path, rate: int) -> None:
    data = untold(encoded(tmp_path / "a.mp3", rate, "CONSTANT"))
    found = counted(data)
    assert found
    assert abs(decodable(data) - found.samples) <= 2 * found.frame
    tagged = b"ID3\x04\0\0\0\0\x01\x48" + bytes(200) + data + b"TAG" + bytes(125)
    assert counted(tagged) == found
    assert abs(decodable(tagged) - found.samples) <= 2 * found.frame


@pytest.mark.parametrize("rate", FRAMES)
def test_of_a_variable_bit_rate_no_part_passes_for_the_whole(tmp_path: Path, rate: int) -> None:
    data = untold(encoded(tmp_path / "a.mp3", rate, "VARIABLE"))
    with pytest.raises(
        DataError, match=r"of variable bit rate that does not tell its length: only .* of 3\.\d+ s"
    ):
        decodable(data)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_cut_within_a_frame_is_seen(tmp_path: Path, mode: str) -> None:
    data = untold(encoded(tmp_path / "a.mp3", 16_000, mode))
    with pytest.raises(DataError, match="truncated: its last frame lacks 7 bytes"):
        decodable(data[:-7])


def test_what_cannot_be_counted_is_left_alone(tmp_path: Path) -> None:
    data = untold(encoded(tmp_path / "a.mp3", 16_000, "CONSTANT"))
    assert counted(b"") is None
    assert counted(b"\xff\xfd\x90\x00" + data) is None  # layer II
    assert counted(data + b"something else") is None
