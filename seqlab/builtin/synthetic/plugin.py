"""Data made by rule, to see what a model can learn: sequences to be remembered, spoken digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqlab.api import Component, hookimpl
from seqlab.builtin.speech.featurizers import components as featurizers
from seqlab.builtin.synthetic.readers import components as readers

__all__ = ["seqlab_recipe_checked", "seqlab_register_readers"]


@hookimpl
def seqlab_recipe_checked(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return which featurizers of speech want another rate than that of the spoken digits."""
    return featurizers.problems(recipe, {"spoken_digits"})


@hookimpl
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Return the readers of made data."""
    return readers.COMPONENTS
