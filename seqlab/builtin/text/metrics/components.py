"""The built-in metrics, all of token labels: `accuracy`, `accuracy_unknown` and others."""

from __future__ import annotations

from typing import Any

from seqlab.api import Component, Config, Metric, MetricContext, SeqlabError, did_you_mean, one_of

__all__ = [
    "COMPONENTS",
    "AccuracyUnknownConfig",
    "NoConfig",
]


class NoConfig(Config):
    """A metric without settings."""


class AccuracyUnknownConfig(Config):
    """What counts as a word."""

    field: str = "tokens"
    """Field whose values are looked up among those of the training split."""


def build_accuracy(config: NoConfig, context: MetricContext) -> Metric:
    """Make the share of right labels."""
    from seqlab.builtin.text.metrics.tagging import Share, right_tokens

    return Share("accuracy", right_tokens, _words(context))


def build_sentence_accuracy(config: NoConfig, context: MetricContext) -> Metric:
    """Make the share of sentences without a wrong label."""
    from seqlab.builtin.text.metrics.tagging import Share, right_sentences

    return Share("sentence_accuracy", right_sentences, _words(context))


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

    return LabelScores(_words(context))


def _words(context: MetricContext) -> str | None:
    """Return the first field of tokens, None where the reader has none."""
    return next((name for name, kind in context.fields.items() if kind == "tokens"), None)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="accuracy",
        config=NoConfig,
        build=build_accuracy,
        summary="Share of tokens with the right label",
    ),
    Component(
        name="accuracy_unknown",
        config=AccuracyUnknownConfig,
        build=build_accuracy_unknown,
        summary="Share of right labels among the words that never occur in the training split",
    ),
    Component(
        name="label_scores",
        config=NoConfig,
        build=build_label_scores,
        summary="Precision, recall and F1 of each label, and the mean of the F1 over the labels",
    ),
    Component(
        name="sentence_accuracy",
        config=NoConfig,
        build=build_sentence_accuracy,
        summary="Share of sentences in which every label is right",
    ),
)
