from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_sounds import Wave


def decibels(louder: Wave, softer: Wave) -> float:
    return float(10 * np.log10(np.square(louder).sum() / np.square(softer).sum()))


@pytest.mark.parametrize("gain", [-20.0, 0.0, 12.0])
def test_the_gain_is_what_was_asked(changed: Callable[..., Wave], speech: Wave, gain: float) -> None:
    assert decibels(changed("gain", speech, gain=[gain, gain]), speech) == pytest.approx(gain, abs=1e-4)


def test_gains_are_spread_over_the_range(changed: Callable[..., Wave], speech: Wave) -> None:
    found = [decibels(changed("gain", speech, seed, gain=[-8, 4]), speech) for seed in range(200)]
    assert -8 <= min(found) < -7.5
    assert 3.5 < max(found) <= 4
    assert np.mean(found) == pytest.approx(-2, abs=0.7)


def test_nothing_is_clipped(changed: Callable[..., Wave], speech: Wave) -> None:
    loud = changed("gain", speech, gain=[30, 30])
    assert np.abs(loud).max() > 2
    assert np.allclose(loud / loud.max(), speech / speech.max(), atol=1e-6)


def test_a_share_of_utterances_is_left_as_it_is(changed: Callable[..., Wave], speech: Wave) -> None:
    same = [changed("gain", speech, seed, probability=0.3) is speech for seed in range(300)]
    assert 0.6 < np.mean(same) < 0.8
