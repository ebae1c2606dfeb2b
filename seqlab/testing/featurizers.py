"""The contract of featurizers of tokens."""

from __future__ import annotations

import json
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import Component, Featurizer, FeaturizerContext
from seqlab.engine import FeaturizerModule
from seqlab.engine.seeding import seeded
from seqlab.testing.modules import (
    assert_close,
    check_gradients,
    check_weights_round_trip,
    gathered,
    varied,
)

__all__ = ["check_featurizer"]

SENTENCES = (
    ("The", "dog", "barks", "at", "the", "other", "dog"),
    ("Birds", "sing"),
    ("the", "dog", "sings", "."),
    ("a", "Ünknöwn", "word", "and", "☃", "too"),
    ("Stop", "!"),
)
TRAINING = SENTENCES[:3]
"""What the featurizer is fitted on; the other sentences hold unknown words and characters."""


@seeded(0)
def check_featurizer(component: Component[Any], **config: Any) -> None:
    """Build a featurizer of tokens and check its contract.

    - What it learned survives a round trip through JSON.
    - A sentence has the same features alone, in a batch and in another order, one row per token.
    - Unknown words and characters are encoded, too.
    - Where the module says that it is `pointwise`, a word has the same features wherever it stands.
    - The module answers the same twice in evaluation mode, and after a round trip of its weights.
    - A finite gradient reaches every parameter.
    """
    featurizer = _build(component, config)
    featurizer.fit(TRAINING)
    learned = json.loads(json.dumps(featurizer.state()))
    again = _build(component, config)
    again.restore(learned)
    module = varied(featurizer.module())
    everything = list(range(len(SENTENCES)))
    whole = _features(featurizer, module, everything)
    _check_rows(cast("FeaturizerModule", module).output_size, whole)
    twice = _features(featurizer, module, everything)
    assert_close(torch.cat(twice), torch.cat(whole), "asked twice, the features")
    restored = _features(again, module, everything)
    assert_close(torch.cat(restored), torch.cat(whole), "after a round trip of the vocabulary the features")
    _check_independence(featurizer, module, whole)
    if getattr(module, "pointwise", False):
        _check_pointwise(featurizer, module, whole)
    fresh = again.module()
    check_weights_round_trip(module, fresh, lambda other: torch.cat(_features(featurizer, other, everything)))
    _check_gradients(featurizer, module)


def _build(component: Component[Any], config: dict[str, Any]) -> Featurizer:
    context = FeaturizerContext({"tokens": "tokens"})
    featurizer: Featurizer = component.build(component.config(**config), context)
    return featurizer


def _features(featurizer: Featurizer, module: nn.Module, indices: list[int]) -> list[Tensor]:
    features: list[Tensor] = module(gathered(featurizer.encode(SENTENCES), indices)).to_list()
    return features


def _check_rows(output_size: int, whole: list[Tensor]) -> None:
    for sentence, features in zip(SENTENCES, whole, strict=True):
        expected = (len(sentence), output_size)
        assert tuple(features.shape) == expected, (
            f"features have shape {tuple(features.shape)}, not {expected}"
        )


def _check_independence(featurizer: Featurizer, module: nn.Module, whole: list[Tensor]) -> None:
    for number, expected in enumerate(whole):
        alone = _features(featurizer, module, [number])[0]
        assert_close(alone, expected, f"sentence {number} alone and in a batch: the features")
        with torch.inference_mode():
            cached = [_features(featurizer, module, [number])[0] for _ in range(2)]
        assert_close(
            torch.cat(cached),
            torch.cat([expected, expected]),
            f"sentence {number} in prediction: the features",
        )
    order = list(range(len(whole)))[::-1]
    backwards = _features(featurizer, module, order)[::-1]
    assert_close(torch.cat(backwards), torch.cat(whole), "with the batch in another order the features")


def _check_pointwise(featurizer: Featurizer, module: nn.Module, whole: list[Tensor]) -> None:
    """Ask again with each token as a sentence of its own."""
    column = featurizer.encode([(token,) for sentence in SENTENCES for token in sentence])
    alone = module(gathered(column, list(range(sum(map(len, SENTENCES)))))).to_flat()
    assert_close(alone, torch.cat(whole), "pointwise, but the features of a word alone and in its sentence")


def _check_gradients(featurizer: Featurizer, module: nn.Module) -> None:
    """Check gradients of a module that has parameters; a featurizer may have none."""
    if next(module.parameters(), None) is not None:
        everything = list(range(len(SENTENCES)))
        check_gradients(module, lambda: torch.cat(_features(featurizer, module, everything)).square().sum())
