"""The metrics of a recipe's heads: built when something is fitted or scored; prediction needs none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from seqlab.api import Head, Metric, PackageError, SeqlabError
from seqlab.contract import Values
from seqlab.plugin import Registry
from seqlab.recipe import ComponentRef, Recipe

__all__ = ["Metrics"]

Build: TypeAlias = Callable[[ComponentRef, str], Metric]
"""Makes the metric of a recipe for a target."""


class Metrics:
    """What judges each head's answers, by target and name."""

    def __init__(self, recipe: Recipe, registry: Registry, heads: Mapping[str, Head], build: Build) -> None:
        self.recipe = recipe
        self.registry = registry
        self.heads = heads
        self.build = build
        self.saved: Sequence[Any] | None = None

    @cached_property
    def by_target(self) -> dict[str, dict[str, Metric]]:
        """The metrics, built; with what they have learned, where that was restored.

        PackageError where what was restored is not theirs.
        """
        found: dict[str, dict[str, Metric]] = {}
        for (target, head), ref in zip(self.heads.items(), self.recipe.heads, strict=True):
            refs = self._refs(head, ref)
            found[target] = {each.name: self.build(each, target) for each in refs}
        if self.saved is not None:
            self._take_back([metric for metrics in found.values() for metric in metrics.values()], self.saved)
        return found

    def fit(self, values: Values) -> None:
        """Have all learn from the training examples."""
        for metric in self._all():
            metric.fit(values)

    def state(self) -> list[Any]:
        """Return what was learned, as plain JSON data."""
        return [metric.state() for metric in self._all()]

    def restore(self, saved: Any) -> None:
        """Take back what `state` returned, once they are built."""
        if not isinstance(saved, list):
            raise TypeError(f"what metrics have learned is a list, not {type(saved).__name__}")
        self.saved = saved

    def _all(self) -> list[Metric]:
        return [metric for metrics in self.by_target.values() for metric in metrics.values()]

    def _take_back(self, metrics: Sequence[Metric], saved: Sequence[Any]) -> None:
        try:
            for metric, state in zip(metrics, saved, strict=True):
                metric.restore(state)
        except SeqlabError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise PackageError(f"the metrics of the package do not fit together: {error}") from error

    def _refs(self, head: Head, ref: ComponentRef) -> tuple[ComponentRef, ...]:
        """Return the metrics of the recipe, or else the head's own."""
        if self.recipe.metrics is not None:
            return self.recipe.metrics
        return tuple(self._default(name, ref) for name in head.default_metrics)

    def _default(self, name: str, head: ComponentRef) -> ComponentRef:
        try:
            config = self.registry.get("metric", name).config()
        except (SeqlabError, ValueError) as error:  # there is none of this name, or it needs settings
            part = self.registry.part(head.kind, head.name)
            raise part.refused(f"names {name!r} in default_metrics: {error}") from error
        return ComponentRef("metric", name, config, self.recipe.place("head"))
