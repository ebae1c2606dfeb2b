from __future__ import annotations

import numpy as np
import pytest
from sounds import stereo, tone

from seqlab.audio.mixing import mixed, selected


def test_the_mix_is_the_mean_of_all_channels() -> None:
    both = mixed(selected(stereo(0.1), "mix"))
    assert both.shape == (1600,)
    assert both.dtype == np.float32
    assert np.abs(both - (tone(0.1, pitch=440.0) + tone(0.1, pitch=880.0)) / 2).max() < 1e-6


@pytest.mark.parametrize(("channel", "pitch"), [(0, 440.0), (1, 880.0)])
def test_one_channel_is_that_channel(channel: int, pitch: float) -> None:
    alone = mixed(selected(stereo(0.1), channel))
    assert alone.flags.c_contiguous
    assert np.array_equal(alone, tone(0.1, pitch=pitch))
