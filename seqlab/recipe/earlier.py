"""Resolved recipes of earlier versions: a key that did not exist yet means what its absence meant then.

A resolved recipe holds every key of its version. So a key that is missing in a package or in a run folder is
newer, and its default may differ from what seqlab, or a plugin, did before (`Config.formerly`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqlab.recipe.loading import load_recipe
from seqlab.recipe.schema import Catalogue, Recipe, Surroundings
from seqlab.settings import TrainSettings

__all__ = ["load_resolved"]

KINDS = {
    "features": "featurizer",
    "augment": "augmenter",
    "encoder": "encoder",
    "head": "head",
    "metrics": "metric",
    "observers": "observer",
}
"""The kind of component that stands under a top-level key, alone or in a list."""


def load_resolved(recipe: Mapping[str, Any], surroundings: Surroundings) -> Recipe:
    """Check a resolved recipe of this or an earlier version; RecipeError holds every problem found.

    Its data and the files that its settings name are not looked at.
    """
    whole = _completed(recipe, surroundings.catalogue)
    return load_recipe(whole, surroundings, check_data=False, check_files=False)


def _completed(recipe: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return a recipe with what its components' absent keys meant; what is malformed is left to the check."""
    whole = {
        key: _components(value, catalogue.get(KINDS[key], {})) if key in KINDS else value
        for key, value in recipe.items()
    }
    if isinstance(data := whole.get("data"), Mapping) and "reader" in data:
        whole["data"] = {**data, "reader": _components(data["reader"], catalogue.get("reader", {}))}
    if isinstance(train := whole.get("train"), Mapping):
        whole["train"] = {**TrainSettings.formerly, **train}
    return whole


def _components(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_components(each, known) for each in value]
    if not isinstance(value, Mapping):
        return value
    name = value.get("name")
    config = known.get(name) if isinstance(name, str) else None
    return value if config is None else {**config.formerly, **value}
