from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import RATE, stereo, tone, write

from seqlab.api import Audio, DataError
from seqlab.audio import UNLIMITED, AudioFile, AudioSamples, AudioSettings, Limits


def test_it_is_an_audio_of_the_array() -> None:
    audio: Audio = AudioSamples(tone(1.5), RATE)
    assert (audio.sample_rate, audio.duration) == (RATE, 1.5)
    assert np.array_equal(audio.samples(), tone(1.5))


def test_an_array_gives_what_a_file_of_it_gives(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", stereo(1.0, 44_100), 44_100, "FLOAT")
    settings = AudioSettings(sample_rate=16_000)
    there = AudioSamples(stereo(1.0, 44_100), 44_100, settings)
    assert np.array_equal(there.samples(), AudioFile(path, settings=settings).samples())
    assert there.sample_rate == 16_000


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("int16", -(2**15), 2**15), ("int32", -(2**31), 2**31), ("uint8", 0, 2**8)]
)
def test_integers_have_full_scale_at_the_ends_of_their_type(kind: str, low: int, high: int) -> None:
    samples = np.array([low, (low + high) // 2, high - 1], dtype=kind)
    found = AudioSamples(samples, RATE, AudioSettings(limits=UNLIMITED)).samples()
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=2.0**-7)
    assert found[1] == 0.0


@pytest.mark.parametrize("samples", [[0.0, 0.5, -0.5], np.array([0.0, 0.5, -0.5])])
def test_lists_and_doubles_are_taken(samples: object) -> None:
    found = AudioSamples(samples, RATE, AudioSettings(limits=UNLIMITED)).samples()  # type: ignore[arg-type]
    assert found.dtype == np.float32
    assert found.tolist() == [0.0, 0.5, -0.5]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            np.zeros((2, 100)),
            "expected samples of shape (time,) or (time, channels), time > 0, got (2, 100); transpose it",
        ),
        (
            np.zeros((1, 100)),
            "expected samples of shape (time,) or (time, channels), time > 0, got (1, 100); transpose it",
        ),
        (
            np.zeros((9, 2, 2)),
            "expected samples of shape (time,) or (time, channels), time > 0, got (9, 2, 2)",
        ),
        (np.zeros(0), "expected samples of shape (time,) or (time, channels), time > 0, got (0,)"),
        (np.zeros(9, dtype=complex), "expected samples of a floating-point or integer type, got complex128"),
        (np.zeros(9, dtype=bool), "expected samples of a floating-point or integer type, got bool"),
    ],
)
def test_what_is_no_array_of_samples(samples: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as caught:
        AudioSamples(samples, RATE, name="microphone")
    assert str(caught.value) == f"microphone: {message}"


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_integers_that_only_count_have_no_full_scale(kind: str) -> None:
    with pytest.raises(DataError) as caught:
        AudioSamples(np.arange(9000).astype(kind), RATE)
    assert str(caught.value) == (
        f"<array>: {kind} samples have no full scale that is known; allowed are floating point with full"
        " scale at 1, and integers of up to 32 bits with that of their type: for values of 16 bits,"
        " samples.astype('int16') or samples / 32768"
    )


@pytest.mark.parametrize("rate", [0, -8000, 16000.5, True, math.nan, math.inf, "16000", None, [16000]])
def test_what_is_no_rate(rate: Any) -> None:
    with pytest.raises(DataError) as caught:
        AudioSamples(tone(1.0), rate)
    allowed = "a whole number of Hz, at least 1"
    assert str(caught.value) == f"<array>: the sample rate must be {allowed}, got {rate!r}"


@pytest.mark.parametrize("rate", [16_000.0, np.int64(16_000), np.float32(16_000)])
def test_whole_numbers_of_any_type_are_rates(rate: Any) -> None:
    assert AudioSamples(tone(1.0), rate).rate == 16_000


@pytest.mark.parametrize("value", [1e300, -1e39])
def test_a_number_beyond_float32_is_named_as_it_is(value: float) -> None:
    samples = tone(1.0).astype(np.float64)
    samples[160] = value
    with pytest.raises(DataError) as caught:
        AudioSamples(np.stack([samples * 0, samples], axis=1), RATE)
    allowed = "far beyond full scale; samples must lie between -1 and 1"
    assert str(caught.value) == f"<array>: sample 160 (at 0.010 s) is {value:g}, {allowed}"
    other = AudioSettings(channel=0, limits=UNLIMITED)
    assert not AudioSamples(np.stack([samples * 0, samples], axis=1), RATE, other).samples().any()


def test_limits_and_damage() -> None:
    broken = tone(1.0)
    broken[100] = np.nan
    for samples, message in [
        (broken, "sample 100 (at 0.006 s) is nan; samples must be finite numbers"),
        (tone(1.0) * 0, "silent: every sample is 0"),
        (tone(0.01), "too short: 0.01 s, at least 0.05 s are needed"),
        (np.sign(tone(1.0)), "clipped: "),
    ]:
        for ask in (AudioSamples.check, AudioSamples.samples):
            with pytest.raises(DataError) as caught:
                ask(AudioSamples(samples, RATE, AudioSettings(limits=Limits())))
            assert str(caught.value).startswith(f"<array>: {message}")


def test_a_channel_that_is_not_there() -> None:
    with pytest.raises(DataError, match="channel 2 is wanted, but the array has 2"):
        AudioSamples(stereo(1.0), RATE, AudioSettings(channel=2))
    assert np.array_equal(
        AudioSamples(stereo(1.0), RATE, AudioSettings(channel=1)).samples(), tone(1.0, pitch=880.0)
    )


def test_fingerprints_follow_the_samples_and_the_settings() -> None:
    audios = [
        AudioSamples(tone(1.0), RATE),
        AudioSamples(tone(1.0), 8000),
        AudioSamples(tone(1.0, pitch=441.0), RATE),
        AudioSamples(tone(1.0), RATE, AudioSettings(sample_rate=8000)),
        AudioSamples(stereo(1.0), RATE),
    ]
    assert len({audio.fingerprint for audio in audios}) == len(audios)
    assert AudioSamples(tone(1.0).astype(float), RATE).fingerprint == audios[0].fingerprint
