"""The metrics of texts: `wer` and `cer`."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field

from seqlab.api import Component, Config, Declaration, Metric, MetricContext, SeqlabError

__all__ = [
    "COMPONENTS",
    "ErrorRateConfig",
]


class ErrorRateConfig(Config):
    """How an error rate is reported: its bootstrap interval over utterances, and speaker by speaker."""

    resamples: int = Field(default=1000, ge=0)
    """Draws of the bootstrap; 0 for no interval."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Share of the draws that the interval covers."""
    seed: int = Field(default=1, ge=0)
    """Seed of the draws."""
    per_speaker: bool = True
    """Report the rate of each speaker, too, where the data tells of several."""


def build_wer(config: ErrorRateConfig, context: MetricContext) -> Metric:
    """Make the word error rate; SeqlabError where the target is no text or jiwer is missing."""
    return _error_rate("words", config, context)


def build_cer(config: ErrorRateConfig, context: MetricContext) -> Metric:
    """Make the character error rate; SeqlabError where the target is no text or jiwer is missing."""
    return _error_rate("characters", config, context)


def _error_rate(
    of: Literal["words", "characters"], config: ErrorRateConfig, context: MetricContext
) -> Metric:
    from seqlab.builtin.core.metrics.alignment import import_jiwer
    from seqlab.builtin.speech.metrics.error_rate import Bootstrap, ErrorRate

    kind = context.fields[context.target]
    if kind != "text":
        name = "wer" if of == "words" else "cer"
        raise SeqlabError(f"metric {name} compares texts, but field {context.target!r} holds {kind}")
    import_jiwer()
    bootstrap = Bootstrap(resamples=config.resamples, confidence=config.confidence, seed=config.seed)
    return ErrorRate(of, bootstrap, per_speaker=config.per_speaker)


def _declared(config: ErrorRateConfig, *, name: str, of: str) -> Declaration:
    counts = ("low", "high", "substitutions", "deletions", "insertions", of)
    figures = (name, *(f"{name}_{each}" for each in counts), f"*.speaker_{name}")
    return Declaration(
        kinds=("text",),
        figures=(*figures, "empty_answers") if of == "words" else figures,
        modules=(("jiwer", 'pip install "seqlab[speech]"'),),
    )


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="wer",
        config=ErrorRateConfig,
        build=build_wer,
        declares=partial(_declared, name="wer", of="words"),
        summary="Word error rate, its bootstrap interval and counts",
    ),
    Component(
        name="cer",
        config=ErrorRateConfig,
        build=build_cer,
        declares=partial(_declared, name="cer", of="characters"),
        summary="Character error rate, its bootstrap interval and counts",
    ),
)
