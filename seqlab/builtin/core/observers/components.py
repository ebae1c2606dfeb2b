"""The built-in observers: console, JSON Lines, checkpoints, gradient flow."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seqlab.api import Component, Config, ObserverContext, SeqlabError

if TYPE_CHECKING:
    from seqlab.api import Observer

__all__ = [
    "COMPONENTS",
    "CheckpointsConfig",
    "ConsoleConfig",
    "GradientFlowConfig",
    "JsonLinesConfig",
]


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


class GradientFlowConfig(Config):
    """How far back in time the loss is felt: norms of dLoss/dh by lag, of weights, gradients and updates.

    Before training and after every so many epochs, a fixed set of training sequences goes through the model
    and back. All probes stand in the run's `gradient_flow.json`, and `gradient_flow.png` draws them.
    """

    every_epochs: int = Field(default=1, ge=1)
    """Epochs between probes; the first one comes before training."""
    items: int = Field(default=32, ge=1)
    """Sequences in a probe, drawn once from the training split; all of a smaller one."""
    max_lag: int | None = Field(default=None, ge=0)
    """Steps back that are recorded; as many as the longest sequence has when null."""
    plot: bool = True
    """Draw the picture, which needs matplotlib: `pip install "seqlab[plots]"`."""


def _console(config: ConsoleConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.core.observers.console import Console

    return Console(bar=config.bar)


def _jsonl(config: JsonLinesConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.core.observers.jsonl import JsonLines

    return JsonLines(context.run.folder / "metrics.jsonl", every_steps=config.every_steps)


def _checkpoints(config: CheckpointsConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.core.observers.checkpoints import Checkpoints

    return Checkpoints(context.run.folder / "checkpoints", every_steps=config.every_steps)


def _gradient_flow(config: GradientFlowConfig, context: ObserverContext) -> Observer:
    if config.plot and find_spec("matplotlib") is None:
        raise SeqlabError(
            "observer gradient_flow draws with matplotlib, which is not installed:"
            ' pip install "seqlab[plots]", or say plot: false'
        )
    from seqlab.builtin.core.observers.gradient_flow import GradientFlow

    return GradientFlow(
        context.run.folder,
        every_epochs=config.every_epochs,
        items=config.items,
        max_lag=config.max_lag,
        plot=config.plot,
    )


COMPONENTS: tuple[Component[Any], ...] = (
    Component(name="console", config=ConsoleConfig, build=_console, summary="progress on standard error"),
    Component(name="jsonl", config=JsonLinesConfig, build=_jsonl, summary="figures in metrics.jsonl"),
    Component(
        name="checkpoints",
        config=CheckpointsConfig,
        build=_checkpoints,
        summary="the state that --resume continues from",
    ),
    Component(
        name="gradient_flow",
        config=GradientFlowConfig,
        build=_gradient_flow,
        summary="how far back in time gradients reach, as figures and as a picture",
    ),
)
