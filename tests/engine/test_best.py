"""Which weights are kept where evaluations give equal figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor
from toy_models import Saver, dataset, identical, model, settings, trainer

from seqlab.engine import Evaluation, SequenceModel, Trainer
from seqlab.engine.best import is_best
from seqlab.engine.checkpoint import weights
from seqlab.engine.progress import Progress
from seqlab.settings import EarlyStopping

NAN = math.nan


class Judged:
    """A dev split whose figures follow a script of (score, loss), the loss None where it is not told."""

    def __init__(self, *figures: tuple[float, float | None]) -> None:
        self.figures: Iterator[tuple[float, float | None]] = iter(figures)
        self.seen: list[dict[str, Tensor]] = []

    def __call__(self, subject: SequenceModel) -> Mapping[str, float]:
        self.seen.append(weights(subject))
        score, loss = next(self.figures)
        return {"score": score} | ({} if loss is None else {"loss": loss})

    def evaluation(self, *, higher_is_better: bool = True) -> Evaluation:
        return Evaluation(judge=self, monitor="score", higher_is_better=higher_is_better)


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([(1, 0.5), (1, 0.4), (1, 0.45)], 1),
        ([(1, 0.5), (1, 0.5), (1, 0.6)], 0),
        ([(1, 0.5), (1, NAN), (1, 0.6)], 0),
        ([(1, NAN), (1, 0.7), (1, 0.8)], 1),
        ([(1, None), (1, None), (1, None)], 0),
        ([(NAN, 0.5), (1, 0.9), (1, 0.8)], 2),
    ],
)
def test_of_equal_figures_those_with_the_lower_loss_are_kept(
    figures: list[tuple[float, float | None]], best: int, higher_is_better: bool
) -> None:
    judged, subject = Judged(*figures), model()
    evaluation = judged.evaluation(higher_is_better=higher_is_better)
    made = trainer(subject, dataset(), settings(epochs=3), evaluation=evaluation)
    made.fit()
    assert made.progress.best_epoch == best + 1
    assert identical(subject.state_dict(), judged.seen[best])


@pytest.mark.parametrize(("higher_is_better", "values"), [(True, (1, 2)), (False, (2, 1))])
def test_a_lower_loss_does_not_outweigh_a_better_figure(
    higher_is_better: bool, values: tuple[float, float]
) -> None:
    worse, better = values
    kept = Progress(best_value=better, best_loss=0.9)
    how = {"monitor": "score", "higher_is_better": higher_is_better}
    assert not is_best({"score": worse, "loss": 0.1}, kept, **how)
    assert is_best({"score": better, "loss": 9.0}, Progress(best_value=worse, best_loss=0.1), **how)


def test_a_lower_loss_at_an_equal_figure_does_not_prolong_the_wait() -> None:
    judged = Judged((1, 0.9), (1, 0.8), (1, 0.7), (1, 0.6))
    train = settings(epochs=9, early_stopping=EarlyStopping(patience=2))
    made = trainer(model(), dataset(), train, evaluation=judged.evaluation())
    made.fit()
    assert (made.progress.epoch, made.progress.best_epoch) == (3, 3)


def after_the_first_epoch(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
    """The state and the best weights of a run whose first evaluation gave (1, 0.5)."""
    saver, judged = Saver(folder), Judged((1, 0.5), (2, 0.1), (2, 0.1))
    evaluation = judged.evaluation()
    trainer(model(), dataset(), settings(epochs=3), observers={"s": saver}, evaluation=evaluation).fit()
    return saver.load(saver.reasons.index("epoch"))


def resumed(judged: Judged) -> Trainer:
    return trainer(model(), dataset(), settings(epochs=3), evaluation=judged.evaluation())


def test_a_resumed_run_knows_the_loss_of_the_weights_that_it_keeps(tmp_path: Path) -> None:
    judged = Judged((1, 0.6), (1, 0.4))
    made = resumed(judged)
    made.restore(*after_the_first_epoch(tmp_path))
    made.fit()
    assert made.progress.best_epoch == 3
    assert identical(made.model.state_dict(), judged.seen[1])


def test_a_checkpoint_that_tells_no_loss_goes_on_and_keeps_the_first_of_equal_weights(tmp_path: Path) -> None:
    state, best = after_the_first_epoch(tmp_path)
    del state["progress"]["best_loss"]
    made = resumed(Judged((1, 0.4), (1, 0.3)))
    made.restore(state, best)
    made.fit()
    assert made.progress.best_epoch == 1
    assert best is not None
    assert identical(made.model.state_dict(), best)
