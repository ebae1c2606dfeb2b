"""The contract of featurizers, whatever kind of field they read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import Component, Featurizer, FeaturizerContext, FieldKind
from seqlab.engine import Column, FeaturizerModule
from seqlab.engine.seeding import seeded
from seqlab.suggest import one_of
from seqlab.testing.kinds import fields_of, known_kinds, sample_examples
from seqlab.testing.modules import (
    assert_close,
    check_gradients,
    check_weights_round_trip,
    gathered,
    varied,
)

__all__ = ["check_featurizer"]


@seeded(0)
def check_featurizer(component: Component[Any], kinds: Iterable[FieldKind[Any]] = (), **config: Any) -> None:
    """Build a featurizer and check its contract with values of the kind of field that it reads.

    The reader that it is told of has one field of each kind, with the kind's own name: seqlab's, and `kinds`
    of the caller's. Values are the kind's `samples`, on which it is fitted, and `unseen` ones; where the kind
    has none of these, it is fitted on the first half of the samples.

    - What it learned survives a round trip through JSON.
    - A value has the same features alone, in a batch and in another order: one row for each of its steps
      where another kind annotates these, or else at least one.
    - Values that training never saw are encoded, too, and very small ones.
    - Where the module says that it is `pointwise`, a row has the same features wherever it stands.
    - The module answers the same twice in evaluation mode, and after a round trip of its weights.
    - A finite gradient reaches every parameter.
    """
    known = known_kinds(kinds)
    featurizer = _build(component, config, known)
    assert featurizer.field in known, f"it reads field {featurizer.field!r}; {one_of(known)}"
    kind = known[featurizer.field]
    samples = kind.samples_for(component.config(**config))
    assert samples, f"field kind {kind.name!r} has no samples to check a featurizer with"
    values = [*samples, *kind.unseen]
    _fit(featurizer, samples if kind.unseen else samples[: (1 + len(samples)) // 2], known)
    learned = json.loads(json.dumps(featurizer.state()))
    again = _build(component, config, known)
    again.restore(learned)
    module = varied(featurizer.module())
    whole = _features(featurizer, module, values)
    _check_rows(cast("FeaturizerModule", module).output_size, whole, _rows(kind, known, values))
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


def _build(
    component: Component[Any], config: dict[str, Any], known: Mapping[str, FieldKind[Any]]
) -> Featurizer:
    context = FeaturizerContext(fields_of(known))
    featurizer: Featurizer = component.build(component.config(**config), context)
    return featurizer


def _fit(featurizer: Featurizer, values: Sequence[Any], known: Mapping[str, FieldKind[Any]]) -> None:
    """Fit it on values, or where it learns of whole examples, on these with a value of each other kind."""
    if not hasattr(featurizer, "fit_examples"):
        featurizer.fit(values)
        return
    examples = sample_examples(known[featurizer.field], known)
    pairs = zip(examples, values, strict=False)
    featurizer.fit_examples(
        [replace(example, fields={**example.fields, featurizer.field: value}) for example, value in pairs]
    )


def _rows(
    kind: FieldKind[Any], known: Mapping[str, FieldKind[Any]], values: Sequence[Any]
) -> list[int | None]:
    """Return how many rows each value must have, None for any number but 0."""
    annotated = any(other.along == kind.name for other in known.values())
    return [round(kind.size(value)) if annotated else None for value in values]


def _features(featurizer: Featurizer, module: nn.Module, values: Sequence[Any]) -> list[Tensor]:
    batch = gathered(featurizer.encode(values), list(range(len(values))))
    features: list[Tensor] = module(batch).to_list()
    return features


def _check_rows(output_size: int, whole: list[Tensor], wanted: Sequence[int | None]) -> None:
    for rows, features in zip(wanted, whole, strict=True):
        shape = (max(1, len(features)) if rows is None else rows, output_size)
        found = tuple(features.shape)
        assert found == shape, f"features have shape {found}, not {shape}"


def _check_independence(featurizer: Featurizer, module: nn.Module, values: Sequence[Any]) -> None:
    whole = _features(featurizer, module, values)
    for number, (value, expected) in enumerate(zip(values, whole, strict=True)):
        name = f"value {number}"
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
