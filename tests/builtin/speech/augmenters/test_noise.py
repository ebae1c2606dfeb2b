from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from made_sounds import Wave, noise, sine

from seqlab.api import Augmenter, DataError, SeqlabError


def snr(noisy: Wave, clean: Wave) -> float:
    added = noisy.astype(float) - clean
    return float(10 * np.log10(np.square(clean, dtype=float).sum() / np.square(added).sum()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of noise: a long one, a short one at another rate, in a folder below another."""
    (tmp_path / "noises/deep").mkdir(parents=True)
    soundfile.write(tmp_path / "noises/rain.wav", noise(80_000, 1), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "noises/deep/hum.flac", sine(300, 4_000, 8_000, 0.5), 8_000)
    (tmp_path / "noises/notes.txt").write_text("not a sound")
    return tmp_path / "noises"


@pytest.mark.parametrize("exponent", [None, 0.0, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("ratio", [-5.0, 0.0, 20.0])
def test_the_ratio_is_what_was_asked(
    changed: Callable[..., Wave], speech: Wave, exponent: float | None, ratio: float
) -> None:
    noisy = changed("noise", speech, snr=[ratio, ratio], exponent=exponent)
    assert snr(noisy, speech) == pytest.approx(ratio, abs=1e-2)


def test_ratios_are_spread_over_the_range(changed: Callable[..., Wave], speech: Wave) -> None:
    found = [snr(changed("noise", speech, seed, snr=[5, 25]), speech) for seed in range(200)]
    assert 5 - 1e-2 <= min(found) < 6
    assert 24 < max(found) <= 25 + 1e-2
    assert np.mean(found) == pytest.approx(15, abs=1.2)


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_the_spectrum_falls_by_the_exponent(changed: Callable[..., Wave], exponent: float) -> None:
    tone = sine(7_999, 200_000, level=1e-3)
    noisy = changed("noise", tone, snr=[-60, -60], exponent=exponent)
    power = np.abs(np.fft.rfft(noisy)) ** 2
    edges = np.geomspace(50, 80_000, 12).astype(int)
    levels = [np.log(power[low:high].mean()) for low, high in pairwise(edges)]
    middles = np.log(np.sqrt(edges[:-1] * edges[1:]))
    assert np.polyfit(middles, levels, 1)[0] == pytest.approx(-exponent, abs=0.1)


@pytest.mark.parametrize("length", [16_000, 320_000])
def test_recorded_noise_has_the_ratio_and_is_found_in_folders(
    changed: Callable[..., Wave], folder: Path, length: int
) -> None:
    clean = sine(1_000, length)
    pitches = set()
    for seed in range(10):
        noisy = changed("noise", clean, seed, snr=[3, 3], files=[str(folder)])
        assert snr(noisy, clean) == pytest.approx(3, abs=1e-2)
        spectrum = np.abs(np.fft.rfft((noisy - clean) * np.hanning(length)))
        pitches.add(abs(spectrum.argmax() * 16_000 / length - 300) < 3)
    assert pitches == {True, False}, "both files are used, the hum at the pitch that it was recorded at"


def test_a_stretch_starts_anywhere_in_the_recording(
    changed: Callable[..., Wave], folder: Path, speech: Wave
) -> None:
    added = [
        changed("noise", speech, seed, snr=[0, 0], files=[str(folder / "rain.wav")]) - speech
        for seed in range(5)
    ]
    whole = noise(80_000, 1)
    places = [int(np.correlate(whole, each[:2_000]).argmax()) for each in added]
    assert len(set(places)) == 5
    assert max(places) - min(places) > 10_000


@pytest.mark.parametrize("rate", [2, 10, 2_000, 500_000])
@pytest.mark.parametrize("length", [20, 800])
def test_recordings_of_any_rate_give_noise(
    changed: Callable[..., Wave], tmp_path: Path, rate: int, length: int
) -> None:
    soundfile.write(tmp_path / "noise.wav", noise(3 * rate), rate, subtype="FLOAT")
    clean = sine(1_000, length)
    for seed in range(20):
        noisy = changed("noise", clean, seed, snr=[3, 3], files=[str(tmp_path)])
        assert snr(noisy, clean) == pytest.approx(3, abs=1e-2)


def test_what_has_no_energy_is_left_as_it_is(
    changed: Callable[..., Wave], tmp_path: Path, speech: Wave
) -> None:
    late = np.zeros(1_000_000, dtype=np.float32)
    late[-1] = 0.5
    soundfile.write(tmp_path / "late.wav", late, 16_000)
    assert changed("noise", speech, files=[str(tmp_path / "late.wav")]) is speech
    silence = np.zeros(16_000, dtype=np.float32)
    assert not changed("noise", silence).any()


def test_a_folder_without_sound_a_broken_and_a_silent_file_are_named(
    augmenter: Callable[..., Augmenter], folder: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SeqlabError, match=re.escape(f"augmenter noise: no sound file in {empty}; ")):
        augmenter("noise", files=[str(empty)])
    soundfile.write(folder / "silence.wav", np.zeros(100_000), 16_000)
    with pytest.raises(DataError, match=r"silence\.wav: silent: every sample is 0$"):
        augmenter("noise", files=[str(folder)])
    (folder / "broken.wav").write_text("text")
    with pytest.raises(DataError, match=r"broken\.wav: cannot be decoded"):
        augmenter("noise", files=[str(folder)])
