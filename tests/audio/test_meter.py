from __future__ import annotations

import math

import numpy as np
import pytest
from sounds import stereo, tone

from seqlab.audio.meter import FULL_SCALE, LOUDEST, Meter
from seqlab.audio.mixing import mixed
from seqlab.audio.settings import UNLIMITED, Limits

LIMITS = Limits(min_level=-60.0, max_clipped=0.05)


def told(samples: np.ndarray, limits: Limits = LIMITS, *, blocks: int = 1) -> str:
    """What a meter says of samples (time,) or (time, channels) that come in so many blocks."""
    whole = samples.astype(np.float32).reshape(len(samples), -1)
    meter = Meter(rate=1000, first=5000)
    for block in np.array_split(whole, blocks):
        if reason := meter.add(block, mixed(block)):
            return reason
    return meter.problem(limits)


@pytest.mark.parametrize("blocks", [1, 2, 7])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 32767.0])
def test_the_first_value_that_is_no_sample_is_named_with_its_place(value: float, blocks: int) -> None:
    samples = stereo(0.5, 1000)
    samples[300:, 1] = value
    reason = told(samples, UNLIMITED, blocks=blocks)
    if math.isfinite(value):
        allowed = "far beyond full scale; samples must lie between -1 and 1"
        assert reason == f"sample 5300 (at 5.300 s) is 32767, {allowed}"
    else:
        assert reason == f"sample 5300 (at 5.300 s) is {value}; samples must be finite numbers"


def test_a_little_beyond_full_scale_is_sound() -> None:
    assert told(tone(0.5, 1000, level=1.5), UNLIMITED) == ""
    assert told(np.array([0.0, LOUDEST]), UNLIMITED) == ""


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("offset", [0.0, 0.25, -1.0])
def test_one_value_throughout_is_silence(offset: float, blocks: int) -> None:
    assert told(np.full(300, offset), blocks=blocks) == f"silent: every sample is {offset:g}"
    assert told(np.full(300, offset), UNLIMITED, blocks=blocks) == ""


def test_the_level_is_half_of_peak_to_peak_whatever_the_offset() -> None:
    assert told(tone(0.5, 1000, level=0.0011)) == ""
    message = "silent: its level is -60.9 dB of full scale, at least -60 dB are needed"
    assert told(tone(0.5, 1000, level=0.0009)) == message
    assert told(tone(0.5, 1000, level=0.0009) + 0.5) == message


def test_channels_that_cancel_out_are_silence() -> None:
    left = tone(0.5, 1000)
    for right in (-left, -0.9999 * left):
        assert told(np.stack([left, right], axis=1), blocks=3) == (
            "silent: its 2 channels cancel each other when they are mixed; take one of them, by"
            " `channel` where a reader reads it"
        )
    assert told(np.stack([left, -0.9 * left], axis=1)) == ""


def test_channels_that_are_silent_themselves_do_not_cancel() -> None:
    faint = tone(0.5, 1000, level=0.0009)
    message = "silent: its level is -67.0 dB of full scale, at least -60 dB are needed"
    assert told(np.stack([faint, 0 * faint], axis=1)) == message
    assert told(np.stack([faint, -faint], axis=1) + 0.25) == "silent: every sample is 0.25"


@pytest.mark.parametrize("blocks", [1, 4])
def test_the_share_of_samples_at_full_scale_decides_about_clipping(blocks: int) -> None:
    samples = tone(1.0, 1000)
    samples[:50] = 1.0
    assert told(samples, blocks=blocks) == ""
    samples[50:60] = -FULL_SCALE
    assert (
        told(samples, blocks=blocks) == "clipped: 6.0% of its samples are at full scale, at most 5.0% may be"
    )
    assert told(samples, UNLIMITED, blocks=blocks) == ""


def test_clipping_in_one_channel_is_not_hidden_by_the_mix() -> None:
    assert told(np.stack([np.sign(tone(1.0, 1000)), tone(1.0, 1000) * 0], axis=1)).startswith(
        "clipped: 50.0%"
    )
