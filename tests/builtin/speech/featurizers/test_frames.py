from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.builtin.speech.featurizers.frames import (
    LEAST_DEVIATION,
    Frames,
    FrameSettings,
    Statistics,
    delta,
    stacked,
    standardized,
)


def random_frames(time: int, features: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).standard_normal((time, features)).astype(np.float32)


@given(st.floats(-5, 5), st.integers(1, 30))
def test_the_delta_of_a_ramp_is_its_slope(slope: float, time: int) -> None:
    ramp = (slope * np.arange(time, dtype=np.float32) + 3)[:, None]
    assert delta(ramp)[2:-2] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_the_delta_of_what_does_not_change_is_zero() -> None:
    assert not delta(np.full((7, 3), 4.2, dtype=np.float32)).any()


@pytest.mark.parametrize("time", [1, 2, 3, 5, 40])
def test_deltas_are_those_of_torchaudio(time: int, needs: Callable[[str], None]) -> None:
    needs("torchaudio")
    from torchaudio.functional import compute_deltas

    frames = random_frames(time, 3)
    expected = compute_deltas(torch.from_numpy(frames.T.copy()), win_length=5, mode="replicate").T
    assert np.allclose(delta(frames), expected, atol=1e-6)


def test_second_deltas_are_deltas_of_deltas() -> None:
    frames = random_frames(20, 3)
    first = delta(frames)
    expected = np.concatenate([frames, first, delta(first)], axis=1)
    assert np.array_equal(FrameSettings(deltas=2).differentiated(frames), expected)


@given(time=st.integers(1, 50), stack=st.integers(1, 9), stride=st.integers(1, 9))
def test_stacked_frames_are_those_that_follow(time: int, stack: int, stride: int) -> None:
    frames = np.arange(2 * time, dtype=np.float32).reshape(time, 2)
    found = stacked(frames, stack, stride)
    settings = FrameSettings(stack=stack, stride=stride)
    assert found.shape == (math.ceil(time / stride), 2 * stack)
    assert found.shape == (settings.length(time), settings.size(2))
    for number, row in enumerate(found):
        places = [min(number * stride + each, time - 1) for each in range(stack)]
        assert row.tolist() == frames[places].flatten().tolist()


def test_no_frame_is_left_out_where_the_stack_reaches_as_far_as_the_stride() -> None:
    for time in range(1, 20):
        frames = np.arange(time, dtype=np.float32)[:, None]
        assert set(stacked(frames, 3, 3).flatten()) == set(range(time))


@pytest.mark.parametrize("normalize", ["utterance", "global"])
@pytest.mark.parametrize("level", [0.0, 3.7, -23.02585, 1e6])
def test_a_feature_that_never_changes_becomes_zero(normalize: str, level: float) -> None:
    frames = random_frames(50, 3)
    frames[:, 1] = level
    settings = FrameSettings(normalize=normalize)  # type: ignore[arg-type]
    finished = settings.finished(frames, Statistics.of(frames))
    assert np.abs(finished[:, 1]).max() < 1e-3
    assert finished[:, [0, 2]].mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert finished[:, [0, 2]].std(axis=0) == pytest.approx(1, abs=1e-5)


def test_an_utterance_of_one_frame_is_normalised_to_zeros() -> None:
    finished = FrameSettings(normalize="utterance").finished(random_frames(1, 4), Statistics.none(4))
    assert finished.tolist() == [[0, 0, 0, 0]]


def test_derivatives_are_normalised_as_well() -> None:
    settings = FrameSettings(deltas=2, normalize="utterance")
    finished = settings.finished(random_frames(60, 2), Statistics.none(6))
    assert finished.shape == (60, 6)
    assert finished.std(axis=0) == pytest.approx(1, abs=1e-5)


@given(cuts=st.lists(st.integers(0, 100), max_size=6), offset=st.sampled_from([0.0, 1e4, -1e6]))
def test_statistics_of_pieces_add_up_to_those_of_the_whole(cuts: list[int], offset: float) -> None:
    whole = (random_frames(100, 2) + np.float32(offset)).astype(np.float32)
    total = Statistics.none(2)
    for piece in np.split(whole, sorted(cuts)):
        if len(piece):
            total += Statistics.of(piece)
    exact = whole.astype(np.float64)
    assert total.count == 100
    assert total.mean == pytest.approx(exact.mean(axis=0), rel=1e-12, abs=1e-12)
    assert total.deviation == pytest.approx(exact.std(axis=0), rel=1e-9)


def test_statistics_survive_json_without_rounding() -> None:
    statistics = Statistics.of(random_frames(33, 4))
    again = Statistics.from_json(json.loads(json.dumps(statistics.to_json())))
    frames = random_frames(9, 4, seed=1)
    assert np.array_equal(standardized(frames, again), standardized(frames, statistics))


def test_nothing_is_divided_by_less_than_the_least_deviation() -> None:
    frames = np.array([[0.0], [1e-9]], dtype=np.float32)
    assert np.abs(standardized(frames, Statistics.of(frames))).max() <= 1e-9 / LEAST_DEVIATION
