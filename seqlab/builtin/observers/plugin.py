"""The built-in observers: console, JSON Lines, checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seqlab.api import Component, Config, ObserverContext, hookimpl

if TYPE_CHECKING:
    from seqlab.api import Observer

__all__ = ["CheckpointsConfig", "ConsoleConfig", "JsonLinesConfig", "seqlab_register_observers"]


class ConsoleConfig(Config):
    """Progress on standard error: a live bar on a terminal, a line per epoch elsewhere."""

    bar: bool = True
    """Draw the live bar when standard error is a terminal."""


class JsonLinesConfig(Config):
    """One JSON object per epoch, and per some steps, in the run's `metrics.jsonl`."""

    every_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps between step lines; none are written when null."""


class CheckpointsConfig(Config):
    """The run's `checkpoints/`: its last state, from which `--resume` continues, and its best weights."""

    every_steps: int = Field(default=500, ge=1)
    """Optimizer steps between checkpoints; the end of an epoch always makes one."""


def _console(config: ConsoleConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.observers.console import Console

    return Console(bar=config.bar)


def _jsonl(config: JsonLinesConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.observers.jsonl import JsonLines

    return JsonLines(context.run.folder / "metrics.jsonl", every_steps=config.every_steps)


def _checkpoints(config: CheckpointsConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.observers.checkpoints import Checkpoints

    return Checkpoints(context.run.folder / "checkpoints", every_steps=config.every_steps)


@hookimpl
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return the built-in observers."""
    return [
        Component(name="console", config=ConsoleConfig, build=_console, summary="progress on standard error"),
        Component(name="jsonl", config=JsonLinesConfig, build=_jsonl, summary="figures in metrics.jsonl"),
        Component(
            name="checkpoints",
            config=CheckpointsConfig,
            build=_checkpoints,
            summary="the state that --resume continues from",
        ),
    ]
