"""The built-in heads of text: one label per token, and the next token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from seqlab.api import Component, Config, Declaration, HeadContext, chosen_field

if TYPE_CHECKING:
    from seqlab.api import Head

__all__ = [
    "COMPONENTS",
    "LanguageModelConfig",
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


class LanguageModelConfig(Config):
    """The next token, from all before it: a softmax over the tokens of the training split.

    The encoder must not look ahead. Packages of it write text: `seqlab generate`.
    """

    target: str | None = None
    """Field of tokens to learn, which the model reads as well; the reader's only one when null."""
    min_count: int = Field(default=1, ge=1)
    """A token is known when the training split holds it at least this often; all others are one."""
    end: bool = False
    """Learn where a sequence ends, too: for lines or sentences, not for one long stream."""
    tied: bool = False
    """Use the vectors of the embedding that reads the tokens as output weights (Press and Wolf 2017)."""
    activation_l2: float = Field(default=0.0, ge=0)
    """Factor of the mean square of the states in the loss (Merity et al. 2017: 2)."""
    temporal_l2: float = Field(default=0.0, ge=0)
    """Factor of the mean square of their change from step to step (Merity et al. 2017: 1)."""
    alternatives: int = Field(default=4, ge=0)
    """Less likely tokens that an answer holds besides the likeliest one."""


TOKENS = ("tokens",)
"""The kinds of field that a language model learns."""

LANGUAGE_METRICS = ("perplexity", "bits_per_character")
"""Those of a language model."""


def _language_model(config: LanguageModelConfig, context: HeadContext) -> Head:
    from seqlab.builtin.text.heads.language_model import LanguageModelHead

    return LanguageModelHead(
        chosen_field("head language_model learns", config.target, TOKENS, context.fields),
        min_count=config.min_count,
        end=config.end,
        tied=config.tied,
        activation_l2=config.activation_l2,
        temporal_l2=config.temporal_l2,
        alternatives=config.alternatives,
        default_metrics=LANGUAGE_METRICS,
    )


def _language_declared(config: LanguageModelConfig) -> Declaration:
    return Declaration(
        field=config.target, kinds=TOKENS, alignment="shifted", default_metrics=LANGUAGE_METRICS
    )


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="language_model",
        config=LanguageModelConfig,
        build=_language_model,
        declares=_language_declared,
        summary="the next token, from all before it (softmax)",
    ),
    Component(
        name="tagging",
        config=TaggingConfig,
        build=_tagging,
        declares=_declared,
        summary="one label per token (softmax)",
    ),
)
