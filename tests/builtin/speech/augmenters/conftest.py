"""Sounds, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_sounds import Wave, speechlike

from seqlab.api import Augmenter, AugmenterContext, Sound
from seqlab.builtin.speech.plugin import seqlab_register_augmenters

RATE = 16_000

COMPONENTS = {component.name: component for component in seqlab_register_augmenters()}


def build(name: str, **config: Any) -> Augmenter:
    component = COMPONENTS[name]
    augmenter: Augmenter = component.build(component.config(**config), AugmenterContext({"audio": "audio"}))
    return augmenter


@pytest.fixture
def augmenter() -> Callable[..., Augmenter]:
    """Build an augmenter by its name with a configuration."""
    return build


@pytest.fixture
def changed() -> Callable[..., Wave]:
    """Return what an augmenter, by name, makes of samples; drawn from a seed."""

    def change(name: str, wave: Wave, seed: int = 0, rate: int = RATE, **config: Any) -> Wave:
        sound = build(name, **config)(Sound(wave, rate), np.random.default_rng(seed))
        assert sound.sample_rate == rate
        samples: Wave = sound.samples()
        return samples

    return change


@pytest.fixture(scope="session")
def speech() -> Wave:
    return speechlike(2 * RATE)
