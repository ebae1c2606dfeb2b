"""Cutting loses nothing, keeps the limit, finds the pauses, and needs no more memory for longer sound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_sounds import noise, speechlike
from numpy import float32
from numpy.typing import NDArray
from sounds import tone, write

from seqlab.api import DataError
from seqlab.audio import UNLIMITED, AudioFile, AudioSamples, AudioSettings, Limits, pieces
from seqlab.audio.segments import PAUSE, quietest

RATE = 8_000
FREE = AudioSettings(limits=UNLIMITED)


def with_pauses(seconds: float, pauses: Sequence[tuple[float, float]]) -> NDArray[float32]:
    """Noise with silence from one second to another."""
    samples = noise(round(seconds * RATE), seed=1)
    for begin, end in pauses:
        samples[round(begin * RATE) : round(end * RATE)] = 0
    return samples


def ends(samples: NDArray[float32], longest: float) -> list[float]:
    return [piece.end for piece in pieces(AudioSamples(samples, RATE, FREE), longest)]


@pytest.mark.parametrize("seconds", [0.3, 2.0, 2.001, 2.4, 2.5, 2.51, 4.0, 7.77, 31.0])
@pytest.mark.parametrize("kind", ["speech", "noise", "silence", "tone"])
def test_the_pieces_joined_are_the_sound_and_none_is_too_long_or_too_short(seconds: float, kind: str) -> None:
    count = round(seconds * RATE)
    made = {"speech": speechlike(count, rate=RATE), "noise": noise(count), "tone": tone(seconds, RATE)}
    samples = made.get(kind, np.zeros(count, dtype=np.float32))
    found = list(pieces(AudioSamples(samples, RATE, FREE), 2.0))
    assert np.array_equal(np.concatenate([piece.audio.samples() for piece in found]), samples)
    assert (found[0].start, found[-1].end) == (0, count / RATE)
    assert all(before.end == after.start for before, after in pairwise(found))
    lengths = [piece.end - piece.start for piece in found]
    assert max(lengths) <= 2.0
    assert len(found) == 1 or min(lengths) >= 0.5
    assert [piece.last for piece in found] == [False] * (len(found) - 1) + [True]
    assert (len(found) == 1) == (seconds <= 2.0)


@pytest.mark.parametrize("ending", [".wav", ".flac"])
@pytest.mark.parametrize("block", [999, 1 << 18])
def test_a_file_is_cut_where_the_array_is_whatever_its_blocks(
    tmp_path: Path, ending: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.audio.decoding.BLOCK", block)
    samples = speechlike(40 * RATE, rate=RATE)
    path = write(tmp_path / f"long{ending}", samples, RATE)
    found, expected = (
        list(pieces(sound, 3.0)) for sound in (AudioFile(path), AudioSamples(samples, RATE, FREE))
    )
    assert [(each.start, each.end) for each in found] == [(each.start, each.end) for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.audio.samples(), other.audio.samples())


def test_a_cut_is_in_the_middle_of_the_pause() -> None:
    assert ends(with_pauses(9.0, [(3.0, 4.0)]), 6.0) == pytest.approx([3.5, 9.0], abs=0.02)
    two = with_pauses(12.0, [(3.0, 3.4), (5.0, 5.9), (9.0, 9.5)])
    assert ends(two, 7.0) == pytest.approx([5.45, 12.0], abs=0.02)


def test_of_two_pauses_the_quieter_one_is_taken() -> None:
    samples = with_pauses(9.0, [(2.0, 4.0), (4.5, 5.0)])
    samples[2 * RATE : 4 * RATE] = noise(2 * RATE, level=0.01)
    assert ends(samples, 6.0) == pytest.approx([4.75, 9.0], abs=0.02)


def test_a_constant_offset_is_silence() -> None:
    assert ends(with_pauses(9.0, [(3.0, 4.0)]) * 0.1 + 0.5, 6.0) == pytest.approx([3.5, 9.0], abs=0.02)


@pytest.mark.parametrize("length", [1, 79, 80, 200, round(PAUSE * RATE), 4000])
def test_the_quietest_place_lies_within(length: int) -> None:
    for samples in (noise(length), np.zeros(length, dtype=np.float32)):
        assert 0 <= quietest(samples, RATE).place <= length


def test_silent_pieces_are_told_and_a_silent_sound_is_refused(tmp_path: Path) -> None:
    sound = np.concatenate([tone(2.0, RATE), np.zeros(6 * RATE), tone(2.0, RATE)])
    found = list(pieces(AudioFile(write(tmp_path / "a.wav", sound, RATE)), 2.0))
    assert [piece.silent for piece in found] == [
        not np.any(sound[round(piece.start * RATE) : round(piece.end * RATE)]) for piece in found
    ]
    assert 1 < sum(piece.silent for piece in found) < len(found)
    silence = AudioFile(write(tmp_path / "b.wav", np.zeros(9 * RATE), RATE))
    with pytest.raises(DataError, match=r"b\.wav: silent: every sample is 0$"):
        list(pieces(silence, 2.0))
    passed = AudioSettings(limits=UNLIMITED)
    assert not any(piece.silent for piece in pieces(AudioSamples(np.zeros(9 * RATE), RATE, passed), 2.0))


def test_one_channel_of_a_file_is_cut_and_each_piece_resampled_by_itself(tmp_path: Path) -> None:
    both = np.stack([noise(9 * RATE), speechlike(9 * RATE, rate=RATE)], axis=1)
    settings = AudioSettings(sample_rate=16_000, channel=1)
    path = write(tmp_path / "a.wav", both, RATE)
    for piece in pieces(AudioFile(path, settings=settings), 4.0):
        stretch = AudioFile(path, piece.start, piece.end, settings)
        assert piece.audio.sample_rate == 16_000
        assert np.array_equal(piece.audio.samples(), stretch.samples())


def test_a_rate_is_judged_by_the_sounds_own_limits_alone(tmp_path: Path) -> None:
    low = 2_000
    settings = AudioSettings(sample_rate=RATE, limits=Limits(min_sample_rate=1_000))
    path = write(tmp_path / "low.wav", speechlike(9 * low, rate=low), low)
    found = list(pieces(AudioFile(path, settings=settings), 4.0))
    assert sum(len(piece.audio.samples()) for piece in found) == pytest.approx(9 * RATE, abs=len(found))
    with pytest.raises(DataError, match=r"low\.wav: sample rate of 2000 Hz; allowed are 4000 to 384000 Hz$"):
        next(pieces(AudioFile(path), 4.0))


def test_pieces_have_the_name_of_the_sound(tmp_path: Path) -> None:
    samples = speechlike(9 * RATE, rate=RATE)
    path = write(tmp_path / "a.wav", samples, RATE)
    array = AudioSamples(samples, RATE, name="microphone")
    for sound, name in ((AudioFile(path), str(path)), (array, "microphone")):
        assert {piece.audio.name for piece in pieces(sound, 4.0)} == {name}


def test_damage_is_told_at_the_latest_instead_of_the_last_piece(tmp_path: Path) -> None:
    samples = tone(12.0, RATE)
    samples[11 * RATE] = np.nan
    path = write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    found = []
    with pytest.raises(DataError, match="is nan"):
        found += list(pieces(AudioFile(path), 2.0))
    assert not any(piece.last for piece in found)


@pytest.mark.parametrize("longest", [0.0, 0.99, float("nan")])
def test_words_are_not_cut(longest: float) -> None:
    with pytest.raises(ValueError, match=f"^pieces must be allowed at least 1 s, got {longest:g}$"):
        next(pieces(AudioSamples(noise(RATE), RATE), longest))


def test_ten_times_the_sound_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for minutes in (3, 30):
        path = write(tmp_path / f"{minutes}.wav", np.tile(speechlike(60 * RATE, rate=RATE), minutes), RATE)
        tracemalloc.start()
        for piece in pieces(AudioFile(path), 20.0):
            assert piece.end <= minutes * 60
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.05 * peaks[0]


def test_an_infinite_limit_cuts_nothing() -> None:
    rate = 8_000
    sound = AudioSamples(np.sin(np.arange(70 * rate, dtype=np.float32)) / 2, rate)
    (piece,) = pieces(sound, float("inf"))
    assert (piece.start, piece.end, piece.last) == (0.0, 70.0, True)
