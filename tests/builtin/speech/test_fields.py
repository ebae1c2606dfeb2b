from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seqlab.api import Guarded, SeqlabError, Sound
from seqlab.audio import AudioFile
from seqlab.builtin.speech.fields import LEAST_PIECE, MAX_SEGMENT, WINDOW_SECONDS, AudioKind
from seqlab.errors import ContractError

RATE = 16_000
KIND = AudioKind()


def sound(seconds: float) -> Sound:
    return Sound(np.zeros(round(seconds * RATE), np.float32), RATE)


@pytest.fixture
def file(tmp_path: Path) -> AudioFile:
    soundfile.write(tmp_path / "a.wav", np.full(8_000, 0.25), RATE)
    return AudioFile(tmp_path / "a.wav")


def test_a_sound_is_what_has_all_of_audio(file: AudioFile) -> None:
    assert (KIND.fault(sound(1)), KIND.fault(file)) == ("", "")
    assert KIND.fault("a.wav") == (
        "'a.wav' (str), which is no Audio: it lacks sample_rate, duration, fingerprint, samples"
    )


def test_it_is_measured_in_seconds_and_told_apart_by_its_samples(file: AudioFile, tmp_path: Path) -> None:
    assert KIND.size(file) == 0.5
    assert KIND.outline(file) == 8_000
    soundfile.write(tmp_path / "b.wav", np.full(8_000, 0.5), RATE)
    other = AudioFile(tmp_path / "b.wav")
    assert KIND.outline(other) == KIND.outline(file)
    assert KIND.fingerprint(other) != KIND.fingerprint(file)
    assert KIND.fingerprint(sound(1)) is None, "drawn anew each time"


def test_a_whole_file_can_be_tried_at_the_command(file: AudioFile) -> None:
    assert KIND.trial(file) == {"arguments": [str(file.source.path)]}
    assert KIND.trial(sound(1)) is None


@pytest.mark.parametrize("given", ["a.wav", Path("a.wav"), b"RIFF", np.zeros(9)])
def test_one_sound_is_not_taken_for_many(given: Any) -> None:
    assert KIND.is_one(given)
    assert not KIND.is_one([given])


@pytest.mark.parametrize("given", ["a.wav", Path("a.wav"), b"RIFF", 3, None])
def test_what_only_a_reader_can_take_in_is_told_so(given: Any) -> None:
    with pytest.raises((SeqlabError, TypeError), match=r"takes in no single sound|which is no Audio"):
        KIND.take(given)
    taken = sound(1)
    assert KIND.take(taken) is taken


def test_pieces_are_as_long_as_the_longest_of_the_training_within_bounds() -> None:
    assert KIND.longest(None) == MAX_SEGMENT
    assert [KIND.longest(seen) for seen in (0.1, 7.5, 1e6)] == [LEAST_PIECE, 7.5, WINDOW_SECONDS]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("seconds", [0.5, 5.0])
def test_pieces_cover_a_sound_without_a_gap(seconds: float, *, overlap: bool) -> None:
    generator = np.random.default_rng(1)
    wave = generator.normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)
    pieces = list(KIND.pieces(Sound(wave, RATE), 2.0, overlap=overlap, name="sound"))
    assert pieces[0].start == 0
    assert pieces[-1].end == pytest.approx(seconds)
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(pieces))
    assert all(piece.end - piece.start <= 2.0 + 1e-6 for piece in pieces)
    (whole,) = KIND.pieces(Sound(wave, RATE), None, overlap=overlap, name="sound")
    assert (whole.start, whole.end, whole.last) == (0, pytest.approx(seconds), True)


class Humming:
    """A plugin's own class of sound."""

    sample_rate, duration, fingerprint, speaker = RATE, 1.0, None, "ann"

    def __init__(self, samples: Any) -> None:
        self.found = samples

    def samples(self) -> Any:
        return self.found


def test_only_sounds_of_other_classes_are_guarded_and_keep_all_that_they_have(file: AudioFile) -> None:
    called: list[str] = []

    def calling(method: str) -> Any:
        called.append(method)
        return nullcontext()

    for own in (file, sound(1)):
        assert KIND.guarded(own, calling) is own
    humming = Humming(np.zeros(9, np.float32))
    guarded: Any = KIND.guarded(humming, calling)
    assert isinstance(guarded, Guarded)
    assert (guarded.bare, guarded.speaker, guarded.duration) == (humming, "ann", 1.0)
    assert guarded.samples() is humming.found
    assert called == ["Humming.speaker", "Humming.duration", "Humming.samples"]


@pytest.mark.parametrize("samples", [[0.0], np.zeros(9), np.full(9, np.nan, np.float32)])
def test_samples_of_others_are_checked(samples: Any) -> None:
    guarded: Any = KIND.guarded(Humming(samples), lambda _method: nullcontext())  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="returned "):
        guarded.samples()
