from __future__ import annotations

import sys

import numpy as np
import pytest
from sounds import tone

from seqlab.api import SeqlabError
from seqlab.audio import resample


@pytest.mark.parametrize(
    ("rate", "target"), [(8000, 16_000), (192_000, 16_000), (44_100, 16_000), (16_000, 7919)]
)
def test_a_tone_stays_the_same_tone(rate: int, target: int) -> None:
    there = resample(tone(1.0, rate), rate, target)
    assert there.dtype == np.float32
    assert abs(len(there) - target) <= 1
    inside = slice(target // 10, -target // 10)  # filters ring at the ends
    assert np.abs(there[inside] - tone(1.0, target)[: len(there)][inside]).max() < 1e-3


def test_what_the_new_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resample(tone(1.0, 48_000, pitch=12_000), 48_000, 16_000)[1600:-1600]).max() < 1e-3


def test_the_same_rate_leaves_the_samples_alone() -> None:
    samples = tone(0.1)
    assert resample(samples, 16_000, 16_000) is samples


def test_without_soxr_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(SeqlabError, match=r"from 8000 to 16000 Hz is resampled by soxr.*pip install soxr"):
        resample(tone(0.1), 8000, 16_000)
