"""The contract of augmenters."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy import float32
from numpy.typing import NDArray

from seqlab.api import Augmenter, AugmenterContext, Component, FieldKind, Sound

__all__ = ["check_augmenter"]

FIELDS: Mapping[str, FieldKind] = {"audio": "audio", "text": "text"}

SAMPLE_RATE = 16_000
SECONDS = (0.7, 1.31, 0.05, 0.004)
"""Lengths of the sounds."""

LENGTHS = (70, 131, 5, 1)
"""Lengths of the frames."""

FEATURES = 40

DRAWS = 20
"""So many times everything is drawn: an augmenter that leaves most of its examples alone must show itself."""


def check_augmenter(component: Component[Any], **config: Any) -> None:
    """Build an augmenter and check its contract.

    - It returns finite sound at the rate of the given one, or finite frames with as many features, in float32
      and at least one of them, of sequences of any length.
    - It leaves what it is given as it was, and keeps the length where it says so.
    - What it returns follows from the generator alone: not from what it was given before, and not from the
      generators of numpy, torch or Python, from which it draws nothing.
    - Some of the time it changes something.
    """
    augmenter: Augmenter = component.build(component.config(**config), AugmenterContext(FIELDS))
    stage = augmenter.stage
    assert stage in ("audio", "features"), f"stage is {stage!r}, not 'audio' or 'features'"
    given = _arrays(stage)
    before = [array.copy() for array in given]
    untouched = _global_generators()
    drawn = [[_draw(augmenter, array, seed) for array in given] for seed in range(DRAWS)]
    assert _global_generators() == untouched, "it draws from a generator that is not its own"
    for array, copy in zip(given, before, strict=True):
        assert np.array_equal(array, copy), "it changes what it is given"
    for seed in reversed(range(DRAWS)):
        for array, expected in zip(reversed(given), reversed(drawn[seed]), strict=True):
            found = _draw(augmenter, array, seed)
            assert np.array_equal(found, expected), "asked twice with equal generators, the answers differ"
    assert any(not _same(result, given) for result in drawn), f"in {DRAWS} draws it has changed nothing"


def _arrays(stage: str) -> list[NDArray[float32]]:
    generator = np.random.default_rng(1)
    if stage == "features":
        return [generator.standard_normal((length, FEATURES), dtype=float32) for length in LENGTHS]
    return [
        float32(0.1) * generator.standard_normal(round(seconds * SAMPLE_RATE), dtype=float32)
        for seconds in SECONDS
    ]


def _draw(augmenter: Augmenter, array: NDArray[float32], seed: int) -> NDArray[float32]:
    """Return what becomes of samples or frames, checked."""
    generator = np.random.default_rng(seed)
    if augmenter.stage == "features":
        result = augmenter(array, generator)
    else:
        sound = augmenter(Sound(array, SAMPLE_RATE), generator)
        rate = sound.sample_rate
        assert rate == SAMPLE_RATE, f"sound of {SAMPLE_RATE} Hz comes back at {rate} Hz"
        result = sound.samples()
    assert result.dtype == float32, f"what comes back is {result.dtype}, not float32"
    assert len(result), "nothing comes back"
    assert result.shape[1:] == array.shape[1:], f"shape {array.shape} becomes {result.shape}"
    assert np.isfinite(result).all(), "what comes back is not finite"
    if augmenter.keeps_length:
        assert len(result) == len(array), f"it says keeps_length, but {len(array)} became {len(result)}"
    checked: NDArray[float32] = result.copy()
    return checked


def _same(result: Sequence[NDArray[float32]], given: Sequence[NDArray[float32]]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(result, given, strict=True))


def _global_generators() -> tuple[Any, ...]:
    state = np.random.get_state()
    return (
        [part.tolist() if isinstance(part, np.ndarray) else part for part in state],
        torch.get_rng_state().tolist(),
        random.getstate(),
    )
