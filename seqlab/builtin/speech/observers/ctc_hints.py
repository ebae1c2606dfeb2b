"""Advice while a CTC head trains: blank collapse and divergence."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seqlab.api import SeqlabError
from seqlab.builtin.speech.heads.ctc import CTC
from seqlab.builtin.speech.heads.ctc_decoding import UnitsRead
from seqlab.engine import Answers, Dataset, Observer, Trainer, answer
from seqlab.engine.seeding import derived_seed

__all__ = ["CTCHints"]

SEQUENCES = 32
"""Training sequences that are answered after each epoch; all of a smaller data set."""

NEARLY_NONE = 0.05
"""Share of the units of their texts that the answers of a collapsed model hold at most."""

STUCK = 0.95
"""Share of its loss that a model keeps over a streak of such answers where it is stuck."""

STEPS = 300
"""Optimizer steps in such a streak at least: models have stood still for 70 of them and learned after all."""

COLLAPSE = (
    "head %s: for %d epochs the model has said blank nearly everywhere (blank collapse), in training"
    " sequences, too, and its loss on these hardly falls, from %.4g to %.4g. %s; or train longer: at first"
    " every CTC model does so"
)
ENDED = (
    "head %s: training has ended while the model still says blank nearly everywhere, in training sequences,"
    " too. Train longer: at first every CTC model does so. %s"
)
ADVICE = (
    "Try another learning rate, a third or three times as much, with train.schedule.warmup_steps and"
    " train.clip_norm; check that the features are normalised and that the texts belong to the audio"
)
DIVERGED = (
    "the loss of epoch %d is %.4g, after %.4g in its best epoch: training diverges; lower the learning rate"
    " or set train.clip_norm"
)


def units_said(outputs: Any, indices: Sequence[int]) -> list[int]:
    """Return how many units a head has read from each sequence; 0 where it does not learn by CTC."""
    return outputs.ids.lengths.tolist() if isinstance(outputs, UnitsRead) else [0] * len(indices)


class CTCHints(Observer):
    """Logs a warning, once, where a head's answers stay empty, and where the loss rises again.

    After each epoch the model, with the weights as they are trained (not their moving average), answers the
    same training sequences: neither a dev split nor a metric is needed. Training goes on as if it had not.

    A CTC model first learns to say blank everywhere, then where units are (A. Zeyer, R. Schlüter, H. Ney,
    "Why does CTC result in peaky behavior?", 2021), so empty answers are a sign only where they last: for
    `patience` epochs and `STEPS` steps, in which the loss falls by less than a twentieth, or to the end. The
    training loss has risen where an epoch's is twice the best one's and more than half of the first one's.
    SeqlabError at the start where no head learns by CTC.
    """

    def __init__(self, *, patience: int = 5) -> None:
        self.patience = patience
        self.streaks: dict[str, list[float]] = {}
        self.told: list[str] = []
        self.losses: list[float] = []
        self.log = logging.getLogger(__name__)

    def state(self) -> dict[str, Any]:
        """Return what has been seen and said."""
        return {"streaks": self.streaks, "told": self.told, "losses": self.losses}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        if state:
            self.streaks, self.told = dict(state["streaks"]), list(state["told"])
            self.losses = list(state["losses"])

    def training_started(self, trainer: Trainer) -> None:
        """Draw the sequences, once and for all."""
        self.heads = [name for name, head in trainer.model.named_heads() if isinstance(head, CTC)]
        if not self.heads:
            raise SeqlabError(
                "observer ctc_hints: there is no head that learns by CTC (seqlab's, or one derived from it);"
                " choose the head ctc, or take the observer out of the recipe"
            )
        self.needed = max(self.patience, math.ceil(STEPS / trainer.steps_per_epoch))
        self.data = self._drawn(trainer)

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Look for a loss that rises, and for empty answers."""
        self._check_loss(record["epoch"], record["loss"])
        answers = self._answers(trainer)
        for name in self.heads:
            self._check_answers(name, answers[name])

    def training_finished(self, trainer: Trainer) -> None:
        """Tell of answers that are empty to the end."""
        for name in self.heads:
            if self.streaks.get(name):
                self._warn(f"head {name}", ENDED, name, ADVICE)

    def _drawn(self, trainer: Trainer) -> Dataset:
        """Return training sequences that have texts, chosen by the seed of the training."""
        data = trainer.job.data
        units = torch.stack([data.targets[name].lengths for name in self.heads]).sum(dim=0)
        spelt = units.nonzero()[:, 0]
        seed = derived_seed(trainer.settings.seed, "ctc_hints")
        order = torch.randperm(len(spelt), generator=torch.Generator().manual_seed(seed))
        return data.select(spelt[order[:SEQUENCES].sort().values])

    def _answers(self, trainer: Trainer) -> Mapping[str, Answers]:
        model = trainer.model
        training = model.training
        model.eval()
        try:
            counts = dict.fromkeys(model.head_names, units_said)
            return answer(model, self.data, trainer.budget, counts)
        finally:
            model.train(training)

    def _check_loss(self, epoch: int, loss: float) -> None:
        if not loss:  # every step of the epoch was skipped
            return
        first, best = (self.losses[0], self.losses[1]) if self.losses else (loss, loss)
        if loss > 2 * best and loss > first / 2:
            self._warn("loss", DIVERGED, epoch, loss, best)
        self.losses = [first, min(best, loss)]

    def _check_answers(self, name: str, answers: Answers) -> None:
        """Keep the losses of the epochs in a row that had empty answers, the last ones of them."""
        said, wanted = sum(answers.values), int(self.data.targets[name].lengths.sum())
        if answers.loss is None or said > NEARLY_NONE * wanted:
            self.streaks[name] = []
            return
        streak = [*self.streaks.get(name, []), answers.loss][-self.needed :]
        self.streaks[name] = streak
        if len(streak) == self.needed and min(streak) > STUCK * streak[0]:
            self._warn(f"head {name}", COLLAPSE, name, self.needed, streak[0], streak[-1], ADVICE)

    def _warn(self, about: str, message: str, *facts: object) -> None:
        """Log a warning, unless there has been one about this."""
        if about not in self.told:
            self.told.append(about)
            self.log.warning(message, *facts)
