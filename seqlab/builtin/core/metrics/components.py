"""The built-in metrics of labels: of one for each sequence, of sets, and of one for each token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

from pydantic import Field

from seqlab.api import Component, Config, Declaration, Metric, MetricContext, SeqlabError

__all__ = [
    "COMPONENTS",
    "CalibrationConfig",
    "NoConfig",
    "RecallOfConfig",
    "words_field",
]

LABELLED = ("label", "label_set", "labels")
"""Kinds of fields that these metrics compare."""

TOLD_APART = ("label", "labels")
"""Those of which one label is taken for one other."""


class NoConfig(Config):
    """A metric without settings."""


class CalibrationConfig(Config):
    """How the calibration error is measured."""

    bins: int = Field(default=15, ge=1)
    """Bins of equal width that probabilities are dealt into."""


class RecallOfConfig(Config):
    """Which label is looked at by itself."""

    label: str
    """The label, `oos` say."""


def words_field(context: MetricContext) -> str | None:
    """Return the first field of tokens, None where the reader has none."""
    return next((name for name, kind in context.fields.items() if kind == "tokens"), None)


def _kind(metric: str, context: MetricContext, kinds: tuple[str, ...] = LABELLED) -> str:
    """Return the target's kind; SeqlabError where it is none that the metric compares."""
    kind = context.fields[context.target]
    if kind not in kinds:
        wanted = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
        raise SeqlabError(
            f"metric {metric} compares fields of kind {wanted}; field {context.target!r} holds {kind}"
        )
    return kind


def build_accuracy(config: NoConfig, context: MetricContext) -> Metric:
    """Make the share of right labels, or of sequences whose label or set is right."""
    from seqlab.builtin.core.metrics.classes import Accuracy
    from seqlab.builtin.core.metrics.shares import Share, right_tokens

    kind = _kind("accuracy", context)
    if kind == "labels":
        return Share("accuracy", right_tokens, words_field(context))
    texts = (name for name, each in context.fields.items() if each == "text")
    return Accuracy(kind, words_field(context) or next(texts, None))


def build_f1(config: NoConfig, context: MetricContext) -> Metric:
    """Make the mean F1 of the labels."""
    from seqlab.builtin.core.metrics.classes import F1

    return F1(_kind("f1", context))


def build_confusion(config: NoConfig, context: MetricContext) -> Metric:
    """Make the confusion matrix; SeqlabError for sets, of which no label stands for one other."""
    from seqlab.builtin.core.metrics.classes import Confusion

    return Confusion(_kind("confusion", context, TOLD_APART))


def build_calibration(config: CalibrationConfig, context: MetricContext) -> Metric:
    """Make the expected calibration error."""
    from seqlab.builtin.core.metrics.classes import Calibration

    return Calibration(_kind("calibration", context), config.bins)


def build_recall_of(config: RecallOfConfig, context: MetricContext) -> Metric:
    """Make the figures of one label."""
    from seqlab.builtin.core.metrics.classes import RecallOf

    return RecallOf(_kind("recall_of", context), context.target, config.label)


Figures: TypeAlias = tuple[str, ...] | Mapping[str, tuple[str, ...]]

F1_FIGURES: Figures = {
    "label": ("f1_macro",),
    "labels": ("f1_macro",),
    "label_set": ("f1_macro", "f1_micro"),
}


def _declared(config: Config, *, kinds: tuple[str, ...], figures: Figures) -> Declaration:
    return Declaration(kinds=kinds, figures=figures)


def _recall_of_declared(config: RecallOfConfig) -> Declaration:
    figures = (f"{config.label}_recall", f"{config.label}_precision", "others_accuracy")
    return Declaration(kinds=LABELLED, figures=figures)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="accuracy",
        config=NoConfig,
        build=build_accuracy,
        declares=partial(_declared, kinds=LABELLED, figures=("accuracy",)),
        summary="Share of right labels: of tokens, or of sequences, where a set must be right as a whole",
    ),
    Component(
        name="calibration",
        config=CalibrationConfig,
        build=build_calibration,
        declares=partial(_declared, kinds=LABELLED, figures=("calibration_error",)),
        summary="Expected calibration error: how far probabilities are from the share of right answers",
    ),
    Component(
        name="confusion",
        config=NoConfig,
        build=build_confusion,
        declares=partial(_declared, kinds=TOLD_APART, figures=("errors",)),
        summary="Number of wrong labels, and which was taken for which as a matrix (`evaluate --errors`)",
    ),
    Component(
        name="f1",
        config=NoConfig,
        build=build_f1,
        declares=partial(_declared, kinds=LABELLED, figures=F1_FIGURES),
        summary="Mean F1 of the labels; of sets also F1 over all labels together",
    ),
    Component(
        name="recall_of",
        config=RecallOfConfig,
        build=build_recall_of,
        declares=_recall_of_declared,
        summary="Recall and precision of one label, and the accuracy of the others: out-of-scope recall",
    ),
)
