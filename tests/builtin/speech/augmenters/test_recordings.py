"""Which files augmenters find in a folder, and which of them they take."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from made_sounds import noise
from sounds import cut, tone, write

from seqlab.api import DataError, FilePath
from seqlab.audio.decoding import BLOCK
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.speech.augmenters.recordings import find_recordings


def test_a_folder_gives_what_prediction_takes_of_it(tmp_path: Path) -> None:
    whole = write(tmp_path / "sound.wav", tone(0.5), 8_000)
    for suffix in SUFFIXES:
        (tmp_path / f"noise{suffix}").write_bytes(whole.read_bytes())
    (tmp_path / "sound.wav").unlink()
    (tmp_path / "notes.txt").write_text("no sound")
    found = find_recordings([FilePath(tmp_path)], "augmenter noise")
    assert sorted(Path(source.name).suffix for source in found) == sorted(SUFFIXES)


@pytest.mark.parametrize("first", [0, 1, BLOCK - 1, BLOCK + 1])
@pytest.mark.parametrize("level", [1.0, 1e-4])
def test_sound_counts_however_late_and_faint(tmp_path: Path, first: int, level: float) -> None:
    samples = np.zeros(BLOCK + 2, dtype=np.float32)
    samples[first] = level
    path = write(tmp_path / "late.wav", samples)
    assert len(find_recordings([FilePath(path)], "augmenter noise")) == 1


@pytest.mark.parametrize("level", [0.0, 0.25])
@pytest.mark.parametrize("length", [100, BLOCK + 2])
def test_silence_is_named_at_any_offset(tmp_path: Path, level: float, length: int) -> None:
    write(tmp_path / "a.wav", tone(0.5))
    write(tmp_path / "b.wav", np.full(length, level, dtype=np.float32))
    with pytest.raises(DataError, match=rf"b\.wav: silent: every sample is {level:g}$"):
        find_recordings([FilePath(tmp_path)], "augmenter noise")


@pytest.mark.parametrize("damage", ["cut", "nan"])
def test_damage_far_behind_the_first_sound_is_found_at_once(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "a.wav", tone(0.5))
    samples = noise(3 * BLOCK)
    if damage == "cut":
        cut(write(tmp_path / "b.flac", samples))
    else:
        samples[-1] = np.nan
        write(tmp_path / "b.wav", samples, subtype="FLOAT")
    with pytest.raises(DataError, match=r"b\.flac: .*truncated|b\.wav: sample 786431 .* is nan"):
        find_recordings([FilePath(tmp_path)], "augmenter noise")


@pytest.mark.parametrize("rate", [10, 2_000, 500_000])
def test_any_rate_is_taken(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "noise.wav", noise(rate), rate)
    assert len(find_recordings([FilePath(path)], "augmenter noise")) == 1


def test_ten_times_the_noise_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for blocks in (5, 50):
        path = write(tmp_path / f"{blocks}.wav", np.tile(noise(BLOCK), blocks))
        tracemalloc.start()
        find_recordings([FilePath(path)], "augmenter noise")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.05 * peaks[0]
