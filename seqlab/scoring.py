"""Figures of a model on labelled examples: losses and the recipe's metrics, head by head."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seqlab.api import Answer, Example, Metric, RecipeError
from seqlab.assembly import Assembly
from seqlab.engine import Budget, Dataset, SequenceModel, answer
from seqlab.engine.best import LOSS
from seqlab.engine.precision import Arithmetic
from seqlab.errors import ContractError
from seqlab.figures import Figures

__all__ = ["ErrorListing", "Scorer"]


class ErrorListing(NamedTuple):
    """A model's figures, and the errors behind them as a text to read."""

    figures: Figures
    text: str


@dataclass(frozen=True)
class Scorer:
    """Judges models on one set of labelled examples; call it with a model in evaluation mode."""

    assembly: Assembly
    examples: Sequence[Example]
    data: Dataset
    budget: Budget
    precision: Arithmetic = "fp32"
    sources: dict[str, str] = field(default_factory=dict, init=False)
    """The metric that gives each figure, as far as `figures` was asked."""

    def __call__(self, model: SequenceModel) -> Figures:
        """Return the losses and all metrics; several heads prefix theirs with `target.`.

        There is no loss of a head without a target that it knows, and none at all where that is so of all.
        """
        decoders = self.assembly.decoders(self.examples)
        given = self.assembly.given
        answers = answer(model, self.data, self.budget, decoders, precision=self.precision, given=given)
        losses = [each.loss for each in answers.values() if each.loss is not None]
        figures = {LOSS: sum(losses)} if losses else {}
        for target in self.assembly.heads:
            loss = answers[target].loss
            if len(answers) > 1 and loss is not None:
                figures[self.assembly.prefix(target) + LOSS] = loss
            for metric in self.assembly.metrics[target].values():
                figures |= self._measure(target, metric, answers[target].values)
        return Figures(figures, self.heads)

    @property
    def heads(self) -> tuple[str, ...]:
        """The targets that stand before figures: those of several heads."""
        return tuple(self.assembly.heads) if len(self.assembly.heads) > 1 else ()

    def figures(self) -> dict[str, bool]:
        """Return the name of every figure that can be watched, and whether higher is better.

        Found by comparing the gold labels with themselves, so it costs no prediction.
        """
        names = {LOSS: False}
        for target, metrics in self.assembly.metrics.items():
            perfect = self._perfect(target)
            for name, metric in metrics.items():
                figures = self._measure(target, metric, perfect)
                self._note_sources(name, figures)
                names |= dict.fromkeys(figures, metric.higher_is_better)
        return names | {self.assembly.prefix(target) + LOSS: False for target in self.assembly.heads}

    def _perfect(self, target: str) -> Sequence[Answer]:
        """Return answers that are right as far as that is known: no head answers None for what is missing."""
        gold, kind = [example.fields[target] for example in self.examples], self.assembly.kinds[target]
        return [Answer(kind.filled(value, gold) if kind.missing(value) else value) for value in gold]

    def _note_sources(self, metric: str, figures: Iterable[str]) -> None:
        """Note which metric gives which figure; RecipeError where two give one of the same name."""
        for figure in figures:
            if figure == LOSS:
                part = self.assembly.registry.part("metric", metric)
                raise part.fault("compute", ContractError(f"returned {LOSS!r}, which is the loss's own name"))
            other = self.sources.setdefault(figure, metric)
            if other != metric:
                message = f"{other} and {metric} both give a figure {figure!r}; leave one of them out"
                raise RecipeError([self.assembly.recipe.problem("metrics", message)])

    def check_kept(self, figure: str, figures: Mapping[str, float]) -> None:
        """Refuse figures without the one that a plugin's metric gave of the gold answers: PluginError."""
        if figure in figures or figure not in self.sources:
            return
        part = self.assembly.registry.part("metric", self.sources[figure])
        if not part.built_in:
            message = f"returned no {figure!r}, which it did of gold answers"
            raise part.fault("compute", ContractError(message))

    def missing_labels(self) -> dict[str, int]:
        """Return, by head, how many labels the examples lack."""
        return self.assembly.missing(self.examples)

    def unseen(self) -> dict[str, int]:
        """Return, by head, how many parts of targets the training split does not hold."""
        unknown, missing = self.data.unseen(), self.missing_labels()
        return {
            target: count - missing.get(target, 0)
            for target, count in unknown.items()
            if count > missing.get(target, 0)
        }

    def untold(self) -> set[str]:
        """Return the losses that there are none of, since training knows no part of their targets."""
        losses = {
            self.assembly.prefix(target) + LOSS: bool((column.values >= 0).any() or not column.holds_integers)
            for target, column in self.data.targets.items()
        }
        return {name for name, told in ({LOSS: any(losses.values())} | losses).items() if not told}

    def short_of_states(self, model: SequenceModel) -> list[str]:
        """Return why examples can be answered in part only; they count in the metrics, not in the loss.

        Their targets need more states than the model's encoder makes. A warning in the log names the first.
        """
        found = self.assembly.short_of_states(model, self.examples, self.data)
        errors = [str(error) for error in found.values()]
        if errors:
            message = "%d examples can never be answered in full, and no loss counts them: %s"
            logging.getLogger(__name__).warning(message, len(errors), errors[0])
        return errors

    def listing(self) -> str:
        """Return what metrics list of the answers that were scored last, each part below their names.

        Metrics that list the same stand together; empty where none lists anything.
        """
        parts: dict[str, list[str]] = {}
        for target, metrics in self.assembly.metrics.items():
            for name, metric in metrics.items():
                if listing := getattr(metric, "listing", None):
                    parts.setdefault(listing(), []).append(self.assembly.prefix(target) + name)
        return "\n".join(_headed(", ".join(names), text) for text, names in parts.items())

    def _measure(self, target: str, metric: Metric, answers: Sequence[Answer]) -> Mapping[str, float]:
        metric.reset()
        for example, found in zip(self.examples, answers, strict=True):
            metric.update(example, example.fields[target], found)
        prefix = self.assembly.prefix(target)
        return {prefix + name: value for name, value in metric.compute().items()}


def _headed(heading: str, text: str) -> str:
    return f"{heading}\n{'=' * len(heading)}\n\n{text}"
