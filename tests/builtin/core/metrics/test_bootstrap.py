from __future__ import annotations

import random

import pytest

from seqlab.builtin.core.metrics.bootstrap import interval

PLAIN = {"resamples": 1000, "confidence": 0.95, "seed": 1}


def test_the_bounds_come_near_those_of_the_normal_distribution() -> None:
    """400 utterances of one word, a quarter of them wrong: the binomial's standard error is known."""
    errors = [1] * 100 + [0] * 300
    bounds = interval(errors, [1] * 400, resamples=4000, confidence=0.95, seed=1)
    assert bounds is not None
    error = (0.25 * 0.75 / 400) ** 0.5
    assert bounds == pytest.approx((0.25 - 1.96 * error, 0.25 + 1.96 * error), abs=0.005)


def test_order_does_not_matter_and_the_seed_does() -> None:
    rng = random.Random(1)
    pairs = [(rng.randint(0, 3), rng.randint(1, 9)) for _ in range(30)]
    bounds = interval(*map(list, zip(*pairs, strict=True)), **PLAIN)  # type: ignore[arg-type]
    rng.shuffle(pairs)
    assert interval(*map(list, zip(*pairs, strict=True)), **PLAIN) == bounds  # type: ignore[arg-type]
    other = {**PLAIN, "seed": 2}
    assert interval(*map(list, zip(*pairs, strict=True)), **other) != bounds  # type: ignore[arg-type]


def test_long_utterances_weigh_more() -> None:
    """Rates of draws are of summed errors over summed sizes, not means of rates."""
    bounds = interval([0, 10], [1, 10], resamples=100, confidence=0.98, seed=1)
    assert bounds == (0.0, 1.0)
    low, high = interval([0, 10], [90, 10], resamples=100, confidence=0.2, seed=1) or (9.0, 9.0)
    assert low == high == 0.1


def test_one_utterance_and_none() -> None:
    assert interval([1], [4], **PLAIN) == (0.25, 0.25)  # type: ignore[arg-type]
    assert interval([], [], **PLAIN) is None  # type: ignore[arg-type]
    assert interval([1, 1], [0, 0], **PLAIN) is None  # type: ignore[arg-type]
    assert interval([1], [4], resamples=0, confidence=0.95, seed=1) is None


def test_draws_without_a_word_are_left_out() -> None:
    bounds = interval([1, 0], [0, 4], **PLAIN)  # type: ignore[arg-type]
    assert bounds == (0.0, 0.25)
