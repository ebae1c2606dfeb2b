"""What a plugin registers: a named component with its settings class and its builder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from seqlab.plugin.declarations import Declaration
from seqlab.settings import Config

__all__ = ["KINDS", "Component"]

C = TypeVar("C", bound=Config)

KINDS = ("reader", "featurizer", "augmenter", "encoder", "head", "metric", "observer")
"""Every kind of component, in the order in which a run uses them; hook `seqlab_register_<kind>s` each."""


def _nothing(config: Config) -> Declaration:
    return Declaration()


@dataclass(frozen=True, kw_only=True)
class Component(Generic[C]):
    """A named part that recipes can use.

    `config` is a frozen pydantic model derived from `Config`: its fields are the recipe's keys and its field
    docstrings their documentation. `build(config, context)` makes the part; `context` is the kind's context
    class in `seqlab.plugin.kinds`. Builders import torch inside, so that reading a recipe stays light.
    `skips`, of a reader: what it cannot use it gives to its context's `refuse`, example by example, so that a
    recipe may say `on_error: skip`. `declares(config)` says what the part does with these settings, so that
    `seqlab check` finds what does not fit together.
    """

    name: str
    config: type[C]
    build: Callable[[C, Any], Any]
    summary: str
    skips: bool = False
    declares: Callable[[C], Declaration] = _nothing
