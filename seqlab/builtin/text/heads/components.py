"""The built-in heads: one label per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from seqlab.api import Component, Config, Declaration, HeadContext, chosen_field

if TYPE_CHECKING:
    from seqlab.api import Head

__all__ = [
    "COMPONENTS",
    "TaggingConfig",
]


class TaggingConfig(Config):
    """One label per token, chosen by a softmax over the training split's labels."""

    target: str | None = None
    """Label field to learn; the reader's only one when null."""
    loss_weight: float = Field(default=1.0, gt=0)
    """Factor on this head's loss, in training and in the figures, to balance several heads."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the probability that is spread evenly over all labels (Szegedy et al. 2016)."""
    class_weights: Literal["balanced"] | dict[str, PositiveFloat] | None = None
    """Weight of each label's errors: `balanced`, the inverse of its frequency, or by label (1 elsewhere)."""


KINDS = ("labels",)
"""The kinds of field that it learns."""

METRICS = ("accuracy", "accuracy_unknown", "sentence_accuracy", "label_scores")
"""Those that are reported by default."""


def _tagging(config: TaggingConfig, context: HeadContext) -> Head:
    from seqlab.builtin.text.heads.tagging import TaggingHead

    return TaggingHead(
        chosen_field("head tagging learns", config.target, KINDS, context.fields),
        class_weights=config.class_weights,
        label_smoothing=config.label_smoothing,
        loss_weight=config.loss_weight,
        default_metrics=METRICS,
    )


def _declared(config: TaggingConfig) -> Declaration:
    return Declaration(field=config.target, kinds=KINDS, alignment="per_state", default_metrics=METRICS)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="tagging",
        config=TaggingConfig,
        build=_tagging,
        declares=_declared,
        summary="one label per token (softmax)",
    ),
)
