from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from made_sounds import Wave, sine

from seqlab.api import Augmenter


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 1.37, 2.0])
def test_the_length_changes_as_said(changed: Callable[..., Wave], factor: float, rate: int) -> None:
    faster = changed("speed", sine(200, 12_345, rate), factors=[factor], rate=rate)
    assert len(faster) == pytest.approx(12_345 / factor, abs=1)


def test_a_tone_gets_the_pitch_of_its_speed(changed: Callable[..., Wave]) -> None:
    faster = changed("speed", sine(1_000, 16_000), factors=[1.25])
    spectrum = np.abs(np.fft.rfft(faster * np.hanning(len(faster))))
    assert spectrum.argmax() * 16_000 / len(faster) == pytest.approx(1_250, abs=2)
    assert np.sqrt(2 * np.mean(faster[500:-500] ** 2)) == pytest.approx(1, abs=0.01)


def test_each_factor_is_equally_likely(changed: Callable[..., Wave], speech: Wave) -> None:
    lengths = Counter(len(changed("speed", speech, seed, factors=[0.8, 1, 1.25])) for seed in range(300))
    assert sorted(lengths) == [25_600, 32_000, 40_000]
    assert min(lengths.values()) > 70


def test_continuous_factors_lie_between_the_ends(changed: Callable[..., Wave], speech: Wave) -> None:
    lengths = [len(changed("speed", speech, s, factors=[1.25, 0.8], continuous=True)) for s in range(100)]
    assert len(set(lengths)) > 90
    assert 25_600 <= min(lengths) < 26_500
    assert 38_500 < max(lengths) <= 40_000


def test_factor_one_changes_nothing(changed: Callable[..., Wave], speech: Wave) -> None:
    assert changed("speed", speech, factors=[1]) is speech


def test_only_a_single_speed_of_one_keeps_the_length(augmenter: Callable[..., Augmenter]) -> None:
    assert augmenter("speed", factors=[1]).keeps_length
    assert not augmenter("speed").keeps_length
