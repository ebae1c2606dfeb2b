from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from made_sounds import Wave, noise, sine

from seqlab.builtin.speech.augmenters.reverb import DecayingNoise


def energy(wave: Wave) -> float:
    return float(np.square(wave, dtype=float).sum())


@pytest.mark.parametrize("samples", [100, 1_000, 32_000])
def test_length_and_energy_stay(changed: Callable[..., Wave], samples: int) -> None:
    clean = noise(samples)
    for seed in range(5):
        wet = changed("reverb", clean, seed)
        assert len(wet) == samples
        assert energy(wet) == pytest.approx(energy(clean), rel=1e-5)
        assert not np.allclose(wet, clean, atol=1e-3)


def test_it_is_the_convolution_with_the_recorded_response(
    changed: Callable[..., Wave], tmp_path: Path, speech: Wave
) -> None:
    response = np.array([0.0, 0.1, 0.8, 0.0, -0.3, 0.2, 0.05], dtype=np.float32)
    soundfile.write(tmp_path / "room.wav", response, 16_000, subtype="FLOAT")
    wet = changed("reverb", speech, files=[str(tmp_path / "room.wav")])
    expected = np.convolve(speech.astype(float), response)[2 : 2 + len(speech)]
    expected *= np.sqrt(energy(speech) / energy(expected))
    np.testing.assert_allclose(wet, expected, atol=1e-6)


def test_the_direct_sound_stays_where_it_was(changed: Callable[..., Wave], tmp_path: Path) -> None:
    click = np.zeros(8_000, dtype=np.float32)
    click[3_000] = 0.5
    late = np.zeros(2_000, dtype=np.float32)
    late[1_234], late[1_500] = 1.0, 0.5
    soundfile.write(tmp_path / "late.wav", late, 16_000, subtype="FLOAT")
    wet = changed("reverb", click, files=[str(tmp_path / "late.wav")])
    assert np.abs(wet).argmax() == 3_000
    assert wet[3_266] == pytest.approx(wet[3_000] / 2, rel=1e-4)


@pytest.mark.parametrize("rate", [2_000, 8_000, 500_000])
def test_a_response_of_another_rate_is_resampled(
    changed: Callable[..., Wave], tmp_path: Path, rate: int
) -> None:
    response = np.zeros(rate // 10, dtype=np.float32)
    response[[0, rate // 20]] = 1.0, 0.6
    soundfile.write(tmp_path / "room.wav", response, rate, subtype="FLOAT")
    click = sine(1_000, 400)
    wet = changed("reverb", np.concatenate([click, np.zeros(2_000, dtype=np.float32)]), files=[str(tmp_path)])
    echo = np.correlate(wet, click)
    assert abs(int(echo[600:].argmax()) + 600 - 800) <= 16


@pytest.mark.parametrize("rt60", [0.1, 0.6])
@pytest.mark.parametrize("direct", [0.0, 12.0])
def test_a_made_response_decays_as_asked(rt60: float, direct: float) -> None:
    response = DecayingNoise((rt60, rt60), (direct, direct)).draw(16_000, np.random.default_rng(1))
    assert len(response) == round(rt60 * 16_000)
    assert response[0] == 1
    assert 10 * np.log10(1 / energy(response[1:])) == pytest.approx(direct, abs=1e-3)
    quarter = len(response) // 4
    levels = [10 * np.log10(energy(response[1 + n * quarter :][:quarter])) for n in range(4)]
    assert np.diff(levels) == pytest.approx([-15, -15, -15], abs=1.5)
