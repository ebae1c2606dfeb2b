"""The contract of featurizers of tokens and of sound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy import float32
from numpy.typing import NDArray
from torch import Tensor, nn

from seqlab.api import Component, Featurizer, FeaturizerContext, FieldKind
from seqlab.engine import Column, FeaturizerModule
from seqlab.engine.seeding import seeded
from seqlab.testing.modules import (
    assert_close,
    check_gradients,
    check_weights_round_trip,
    gathered,
    varied,
)

__all__ = ["check_featurizer"]

FIELDS: Mapping[str, FieldKind] = {"tokens": "tokens", "audio": "audio"}
"""What the reader of the check delivers; a featurizer is given the one that it reads."""

SENTENCES = (
    ("The", "dog", "barks", "at", "the", "other", "dog"),
    ("Birds", "sing"),
    ("the", "dog", "sings", "."),
    ("a", "Ünknöwn", "word", "and", "☃", "too"),
    ("Stop", "!"),
)
TRAINED = 3
"""So many values the featurizer is fitted on; the other sentences hold unknown words and characters."""

SECONDS = (0.7, 0.31, 0.05, 0.5, 0.004)
"""Lengths of the sounds; the last one is shorter than any window."""

SAMPLE_RATE = 16_000
"""Hz, where the configuration has no `sample_rate`."""


@dataclass(frozen=True)
class _Noise:
    """A `seqlab.api.Audio`: noise, the same for the same length."""

    duration: float
    sample_rate: int

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.samples().tobytes()).hexdigest()

    def samples(self) -> NDArray[float32]:
        count = round(self.duration * self.sample_rate)
        return (0.1 * np.random.default_rng(count).standard_normal(count)).astype(float32)


@seeded(0)
def check_featurizer(component: Component[Any], **config: Any) -> None:
    """Build a featurizer of tokens or of sound and check its contract.

    - What it learned survives a round trip through JSON.
    - A value has the same features alone, in a batch and in another order: one row per token, or at least one
      per sound.
    - Unknown words and characters are encoded, too, and sounds of a few milliseconds.
    - Where the module says that it is `pointwise`, a row has the same features wherever it stands.
    - The module answers the same twice in evaluation mode, and after a round trip of its weights.
    - A finite gradient reaches every parameter.
    """
    featurizer, values = _build(component, config)
    featurizer.fit(values[:TRAINED])
    learned = json.loads(json.dumps(featurizer.state()))
    again, _ = _build(component, config)
    again.restore(learned)
    module = varied(featurizer.module())
    whole = _features(featurizer, module, values)
    _check_rows(cast("FeaturizerModule", module).output_size, whole, values)
    twice = _features(featurizer, module, values)
    assert_close(torch.cat(twice), torch.cat(whole), "asked twice, the features")
    restored = _features(again, module, values)
    assert_close(torch.cat(restored), torch.cat(whole), "after a round trip of what was learned the features")
    _check_independence(featurizer, module, values)
    if getattr(module, "pointwise", False):
        _check_pointwise(module, featurizer.encode(values), whole)
    fresh = again.module()
    check_weights_round_trip(module, fresh, lambda other: torch.cat(_features(featurizer, other, values)))
    # A featurizer may have no parameters.
    if next(module.parameters(), None) is not None:
        check_gradients(module, lambda: torch.cat(_features(featurizer, module, values)).square().sum())


def _build(component: Component[Any], config: dict[str, Any]) -> tuple[Featurizer, Sequence[Any]]:
    """Return the featurizer and values of the field that it reads."""
    settings = component.config(**config)
    featurizer: Featurizer = component.build(settings, FeaturizerContext(FIELDS))
    if FIELDS[featurizer.field] == "tokens":
        return featurizer, SENTENCES
    rate = getattr(settings, "sample_rate", SAMPLE_RATE)
    return featurizer, [_Noise(seconds, rate) for seconds in SECONDS]


def _features(featurizer: Featurizer, module: nn.Module, values: Sequence[Any]) -> list[Tensor]:
    batch = gathered(featurizer.encode(values), list(range(len(values))))
    features: list[Tensor] = module(batch).to_list()
    return features


def _check_rows(output_size: int, whole: list[Tensor], values: Sequence[Any]) -> None:
    for value, features in zip(values, whole, strict=True):
        rows = len(value) if isinstance(value, tuple) else max(1, len(features))
        assert tuple(features.shape) == (rows, output_size), (
            f"features have shape {tuple(features.shape)}, not {(rows, output_size)}"
        )


def _check_independence(featurizer: Featurizer, module: nn.Module, values: Sequence[Any]) -> None:
    whole = _features(featurizer, module, values)
    for number, (value, expected) in enumerate(zip(values, whole, strict=True)):
        name = f"{'sentence' if isinstance(value, tuple) else 'sound'} {number}"
        alone = _features(featurizer, module, [value])[0]
        assert_close(alone, expected, f"{name} alone and in a batch: the features")
        with torch.inference_mode():
            cached = [_features(featurizer, module, [value])[0] for _ in range(2)]
        assert_close(
            torch.cat(cached), torch.cat([expected, expected]), f"{name} in prediction: the features"
        )
    backwards = _features(featurizer, module, values[::-1])[::-1]
    assert_close(torch.cat(backwards), torch.cat(whole), "with the batch in another order the features")


def _check_pointwise(module: nn.Module, column: Column, whole: list[Tensor]) -> None:
    """Ask again with each row as a sequence of its own."""
    rows = len(column.values)
    single = Column(column.values, torch.ones(rows, dtype=torch.int64), column.table)
    alone = module(gathered(single, list(range(rows)))).to_flat()
    assert_close(alone, torch.cat(whole), "pointwise, but the features of a row alone and in its sequence")
