"""What a recipe says once it is read and checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from seqlab.datasets import DatasetEntry
from seqlab.errors import Place, Problem
from seqlab.recipe.paths import Locate
from seqlab.recipe.problems import follow
from seqlab.recipe.tree import Node
from seqlab.recipe.variables import variables_of
from seqlab.settings import Config, TrainSettings

__all__ = [
    "DATASET_TEXT",
    "DATA_KEYS",
    "DEFAULT_OBSERVERS",
    "ON_ERROR_TEXT",
    "RECIPE_KEYS",
    "REQUIRED_KEYS",
    "SPLITS",
    "Catalogue",
    "ComponentRef",
    "OnError",
    "Recipe",
    "Surroundings",
]

Catalogue: TypeAlias = Mapping[str, Mapping[str, type[Config]]]
"""Kind of component ("reader", "featurizer", ...) to component name to the class of its settings."""

RECIPE_KEYS = {
    "extends": "Recipe that this one is laid over, relative to this file; the base itself may not extend.",
    "name": "Name of the run; the file's name without its ending when absent.",
    "requires": "Distributions of plugins that must be installed.",
    "data": "Where the data is and how it is read.",
    "features": "Featurizers whose outputs are concatenated.",
    "augment": "Augmenters that change the training examples at random, one after another; none when absent.",
    "encoder": "The network from features to states: one encoder, or several, each reading the one before.",
    "head": "What is predicted from the states: one head, or several.",
    "metrics": "Metrics to report beside the losses; those of the heads when absent, none when empty.",
    "observers": "What watches training step by step.",
    "train": "How the model is trained.",
}
"""Every top-level key with its meaning, in the order in which recipes are written."""

REQUIRED_KEYS = ("data", "features", "encoder", "head")
"""Top-level keys without a default."""

SPLITS = ("train", "dev", "test")
"""The splits of the data; only the first one is required."""

DATA_KEYS = ("dataset", "reader", "on_error", *SPLITS)
"""Keys below `data`."""

DATASET_TEXT = "A set of the catalogue (`seqlab data list`): fills reader and splits where they are left out."

OnError: TypeAlias = Literal["fail", "skip"]

ON_ERROR_TEXT = (
    "What an example that cannot be used does: `fail` ends the run, `skip` leaves it out, counted and listed."
)

DEFAULT_OBSERVERS = ("console", "jsonl", "checkpoints")
"""Observers of a recipe that names none."""


def unguarded(_kind: str, _name: str) -> AbstractContextManager[None]:
    """Return a block in which errors stay what they are."""
    return nullcontext()


@dataclass(frozen=True)
class Surroundings:
    """What a recipe is checked against.

    The components there are, who finds URIs, what is installed, and the data sets by their names. `settling`
    gives, by kind and name, the block in which a component's own code checks its settings.
    """

    catalogue: Catalogue
    locate: Locate | None = None
    installed: Collection[str] = ()
    datasets: Mapping[str, DatasetEntry] = field(default_factory=dict)
    settling: Callable[[str, str], AbstractContextManager[None]] = unguarded


@dataclass(frozen=True)
class ComponentRef:
    """A component as a recipe uses it: its settings are checked and its defaults filled in."""

    kind: str
    name: str
    config: Config
    place: Place = field(compare=False)

    def plain(self) -> dict[str, Any]:
        """Return the mapping that names the component and all its settings."""
        return {"name": self.name, **self.config.model_dump(mode="json")}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe without mistakes.

    `splits` holds the strings of each split as written, `anchored` the same with relative paths made absolute
    (URIs and `${NAME}` stay), `paths` the files behind them: empty where the data was not looked at.
    `metrics` is None where the heads choose; `notices` is what the user should know about the data. Two
    recipes are equal when they describe the same run, wherever they were read from.
    """

    name: str
    source: Path | None = field(compare=False)
    requires: tuple[str, ...]
    reader: ComponentRef
    on_error: OnError
    splits: Mapping[str, tuple[str, ...]] = field(compare=False)
    anchored: Mapping[str, tuple[str, ...]]
    paths: Mapping[str, tuple[Path, ...]]
    features: tuple[ComponentRef, ...]
    augmenters: tuple[ComponentRef, ...]
    encoders: tuple[ComponentRef, ...]
    heads: tuple[ComponentRef, ...]
    metrics: tuple[ComponentRef, ...] | None
    observers: tuple[ComponentRef, ...]
    train: TrainSettings
    tree: Node = field(compare=False, repr=False)
    notices: tuple[str, ...] = field(default=(), compare=False)

    def resolved(self) -> dict[str, Any]:
        """Return the recipe as plain data that stands alone: base and overrides merged, defaults filled in.

        Loading it, from memory or from YAML, gives an equal recipe.
        """
        resolved = {
            "name": self.name,
            "requires": list(self.requires),
            "data": {"reader": self.reader.plain(), "on_error": self.on_error}
            | {split: texts[0] if len(texts) == 1 else list(texts) for split, texts in self.anchored.items()},
            "features": [feature.plain() for feature in self.features],
            "augment": [augmenter.plain() for augmenter in self.augmenters] or None,
            "encoder": _plain(self.encoders),
            "head": _plain(self.heads),
            "metrics": None if self.metrics is None else [metric.plain() for metric in self.metrics],
            "observers": [observer.plain() for observer in self.observers],
            "train": self.train.model_dump(mode="json"),
        }
        # Only the built heads know their own metrics: a recipe that leaves the choice to them still does.
        # Runs that began before there were augmenters have no such key, and must find nothing changed.
        return {key: value for key, value in resolved.items() if value is not None}

    @property
    def variables(self) -> frozenset[str]:
        """The environment variables that its paths name as `${NAME}`; their values are nobody's business."""
        return variables_of(self.tree)

    def place(self, path: str) -> Place:
        """Return where the value at a dotted path stands, or the nearest part above it that is written."""
        node = self.tree
        for part in path.split("."):
            child, _, lost = follow(node, [part])
            if lost:
                break
            node = child
        return node.place

    def problem(self, path: str, message: str) -> Problem:
        """Return a problem with the value at a dotted path, for checks that need more than the recipe."""
        return Problem(self.place(path), path, message)


def _plain(refs: tuple[ComponentRef, ...]) -> dict[str, Any] | list[dict[str, Any]]:
    """Return one component as a mapping, several as a list."""
    each = [ref.plain() for ref in refs]
    return each[0] if len(each) == 1 else each
