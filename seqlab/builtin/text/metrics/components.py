"""The built-in metrics that are about tokens alone: `accuracy_unknown`, `perplexity` and others."""

from __future__ import annotations

from functools import partial
from typing import Any

from seqlab.api import (
    Component,
    Config,
    Declaration,
    Metric,
    MetricContext,
    SeqlabError,
    did_you_mean,
    one_of,
)
from seqlab.builtin.core.metrics.components import NoConfig, words_field

__all__ = [
    "COMPONENTS",
    "AccuracyUnknownConfig",
]


class AccuracyUnknownConfig(Config):
    """What counts as a word."""

    field: str = "tokens"
    """Field whose values are looked up among those of the training split."""


def build_sentence_accuracy(config: NoConfig, context: MetricContext) -> Metric:
    """Make the share of sentences without a wrong label."""
    from seqlab.builtin.core.metrics.shares import Share, right_sentences

    return Share("sentence_accuracy", right_sentences, words_field(context))


def build_accuracy_unknown(config: AccuracyUnknownConfig, context: MetricContext) -> Metric:
    """Make the share of right labels among unknown words; SeqlabError where the reader lacks the field."""
    from seqlab.builtin.text.metrics.tagging import AccuracyUnknown

    fields = context.fields
    if config.field not in fields:
        raise SeqlabError(
            f"metric accuracy_unknown: the reader has no field {config.field!r}"
            f"{did_you_mean(config.field, fields)}; {one_of(fields)}"
        )
    return AccuracyUnknown(config.field)


def build_label_scores(config: NoConfig, context: MetricContext) -> Metric:
    """Make the scores of each label."""
    from seqlab.builtin.text.metrics.tagging import LabelScores

    return LabelScores(words_field(context))


def build_perplexity(config: NoConfig, context: MetricContext) -> Metric:
    """Make the perplexity."""
    from seqlab.builtin.text.metrics.language import Perplexity

    return Perplexity()


def build_bits_per_character(config: NoConfig, context: MetricContext) -> Metric:
    """Make the bits per character."""
    from seqlab.builtin.text.metrics.language import BitsPerCharacter

    return BitsPerCharacter()


def _of_tokens(config: Config, *, figures: tuple[str, ...]) -> Declaration:
    return Declaration(kinds=("tokens",), figures=figures)


def _declared(config: Config, *, figures: tuple[str, ...]) -> Declaration:
    return Declaration(kinds=("labels",), figures=figures)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="accuracy_unknown",
        config=AccuracyUnknownConfig,
        build=build_accuracy_unknown,
        declares=partial(_declared, figures=("accuracy_unknown",)),
        summary="Share of right labels among the words that never occur in the training split",
    ),
    Component(
        name="bits_per_character",
        config=NoConfig,
        build=build_bits_per_character,
        declares=partial(_of_tokens, figures=("bits_per_character",)),
        summary="Bits that a language model needs for a character of the predicted tokens",
    ),
    Component(
        name="label_scores",
        config=NoConfig,
        build=build_label_scores,
        declares=partial(_declared, figures=("f1_macro", "*.precision", "*.recall", "*.f1")),
        summary="Precision, recall and F1 of each label, and the mean of the F1 over the labels",
    ),
    Component(
        name="perplexity",
        config=NoConfig,
        build=build_perplexity,
        declares=partial(_of_tokens, figures=("perplexity", "bits_per_token")),
        summary="Perplexity of a language model, and its bits per token",
    ),
    Component(
        name="sentence_accuracy",
        config=NoConfig,
        build=build_sentence_accuracy,
        declares=partial(_declared, figures=("sentence_accuracy",)),
        summary="Share of sentences in which every label is right",
    ),
)
