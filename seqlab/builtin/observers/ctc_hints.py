"""Advice while a CTC head trains: blank collapse and divergence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from seqlab.engine import Observer, Trainer

__all__ = ["CTCHints"]

EMPTY = "empty_answers"
"""The figure that is watched, of every head that has it."""

NEARLY_ALL = 0.95
"""Share of empty answers that counts as a collapse."""

STUCK = 0.9
"""Share of its loss that a model keeps over the evaluations in a row where it is stuck."""

COLLAPSE = (
    "%s: %.0f%% of the answers are empty, in the last %d evaluations as well, and the loss hardly falls: the"
    " model says blank nearly everywhere (blank collapse). Try another learning rate, a third or three times"
    " as much, with train.schedule.warmup_steps and train.clip_norm; check that the features are normalised"
    " and that the texts belong to the audio; or train longer: at first every CTC model does so"
)
DIVERGED = (
    "the loss of epoch %d is %.4g, after %.4g in its best epoch: training diverges; lower the learning rate"
    " or set train.clip_norm"
)


class CTCHints(Observer):
    """Logs a warning, once, where a head's answers stay empty, and where the loss rises again.

    A CTC model first learns to say blank everywhere, then where units are (A. Zeyer, R. Schlüter, H. Ney,
    "Why does CTC result in peaky behavior?", 2021), so empty answers are a sign only where `patience`
    evaluations in a row have them and the dev loss has fallen by less than a tenth meanwhile. The training
    loss has risen where an epoch's is twice the best one's and more than half of the first one's.
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

    def evaluated(self, trainer: Trainer, metrics: Mapping[str, float]) -> None:
        """Look for empty answers."""
        for name in metrics:
            if name == EMPTY or name.endswith(f".{EMPTY}"):
                loss = metrics[name.removesuffix(EMPTY) + "loss"]
                self._heed_empty(name, metrics[name], loss)

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Look for a loss that rises."""
        loss = record["loss"]
        if not loss:  # every step of the epoch was skipped
            return
        first, best = (self.losses[0], self.losses[1]) if self.losses else (loss, loss)
        if loss > 2 * best and loss > first / 2 and "loss" not in self.told:
            self.told.append("loss")
            self.log.warning(DIVERGED, record["epoch"], loss, best)
        self.losses = [first, min(best, loss)]

    def _heed_empty(self, name: str, share: float, loss: float) -> None:
        """Keep the losses of the evaluations in a row that had empty answers, the last ones of them."""
        streak = [*self.streaks.get(name, []), loss] if share >= NEARLY_ALL else []
        self.streaks[name] = streak = streak[-self.patience :]
        stuck = len(streak) == self.patience and min(streak) > STUCK * streak[0]
        if stuck and name not in self.told:
            self.told.append(name)
            self.log.warning(COLLAPSE, name, 100 * share, self.patience)
