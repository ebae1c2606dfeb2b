"""The built-in heads of any domain: one label or a set of labels for each sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from seqlab.api import Component, Config, Declaration, HeadContext, chosen_field

if TYPE_CHECKING:
    from seqlab.api import Head

__all__ = [
    "COMPONENTS",
    "ClassifyConfig",
]


class ClassifyConfig(Config):
    """One label for each sequence (softmax), or a set of labels (a sigmoid each), as the target's kind is."""

    target: str | None = None
    """Field to learn, of kind label or label_set; the reader's only one when null."""
    pooling: Literal["last", "mean", "max", "attention"] = "last"
    """What is classified: the last state (of both directions), the mean of all, the maximum of each feature,
    or the mean weighted by a learned query."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on what is classified."""
    loss_weight: float = Field(default=1.0, gt=0)
    """Factor on this head's loss, in training and in the figures, to balance several heads."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the probability that is spread evenly over all labels (Szegedy et al. 2016)."""
    class_weights: Literal["balanced"] | dict[str, PositiveFloat] | None = None
    """Weight of each label's errors: `balanced`, the inverse of its frequency, or by label (1 elsewhere)."""
    n_best: int = Field(default=5, ge=1)
    """Labels that an answer tells with their probabilities: the likeliest, and its alternatives."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Least probability of a label in an answered set."""


KINDS = ("label", "label_set")
"""The kinds of field that it learns."""


METRICS = ("accuracy", "f1", "calibration")
"""Those that are reported by default."""


def _classify(config: ClassifyConfig, context: HeadContext) -> Head:
    from seqlab.builtin.core.heads.classify import ClassifyHead, ClassifySettings

    target = chosen_field("head classify learns", config.target, KINDS, context.fields)
    settings = ClassifySettings(
        pooling=config.pooling,
        dropout=config.dropout,
        class_weights=config.class_weights,
        label_smoothing=config.label_smoothing,
        loss_weight=config.loss_weight,
        n_best=config.n_best,
        threshold=config.threshold,
    )
    many = context.fields[target] == "label_set"
    return ClassifyHead(target, many=many, settings=settings, default_metrics=METRICS)


def _declared(config: ClassifyConfig) -> Declaration:
    return Declaration(field=config.target, kinds=KINDS, alignment="per_sequence", default_metrics=METRICS)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="classify",
        config=ClassifyConfig,
        build=_classify,
        declares=_declared,
        summary="one label, or a set of labels, for each sequence",
    ),
)
