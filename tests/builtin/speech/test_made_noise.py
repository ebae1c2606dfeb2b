from __future__ import annotations

import numpy as np
import pytest

from seqlab.builtin.speech.fields import AudioKind
from seqlab.builtin.speech.made_noise import SAMPLES, Noise


@pytest.mark.parametrize("noise", SAMPLES, ids=str)
def test_it_is_sound_as_any_other(noise: Noise) -> None:
    samples = noise.samples()
    assert AudioKind().fault(noise) == ""
    assert (samples.dtype, samples.shape) == (np.float32, (round(16_000 * noise.duration),))
    assert np.array_equal(noise.samples(), samples)
    assert bool(samples.any()) == bool(noise.amplitude)


def test_no_two_samples_are_the_same() -> None:
    assert len({each.fingerprint for each in SAMPLES}) == len(SAMPLES)
    assert len({each.duration for each in SAMPLES}) == len(SAMPLES)


def test_components_are_given_samples_at_their_own_sample_rate() -> None:
    class Settings:
        sample_rate = 8_000

    found = AudioKind().samples_for(Settings())
    assert [each.sample_rate for each in found] == [8_000] * len(SAMPLES)
    assert [each.duration for each in found] == [each.duration for each in SAMPLES]
    assert AudioKind().samples_for(object()) == list(SAMPLES)
