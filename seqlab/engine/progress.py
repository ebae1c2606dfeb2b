"""What training tells the world: how far it is, what each step did, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from seqlab.engine.training import Trainer

__all__ = ["Observer", "Progress", "SaveReason", "StepRecord"]

SaveReason = Literal["chunk", "window", "epoch", "interrupted"]
"""After a chunk with others to come, a window of batches, an epoch and its evaluation, or a cancellation."""


@dataclass
class Progress:
    """How far training is; saved in every checkpoint, it says where to go on.

    `epoch`, `batch` and, within the window of batches, `chunk` count what is complete, from 0; the sums run
    over the current epoch. `best_value` is the monitored figure of the weights that are kept, `best_loss`
    their loss on the same data, None where nobody told it; early stopping has waited for
    `evaluations_waited` evaluations to beat `patience_value` by its `min_delta`.
    """

    epoch: int = 0
    batch: int = 0
    chunk: int = 0
    step: int = 0
    skipped: int = 0
    tokens: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    seconds: float = 0.0
    total_tokens: int = 0
    total_seconds: float = 0.0
    best_value: float | None = None
    best_loss: float | None = None
    best_epoch: int = 0
    best_step: int = 0
    evaluated_epoch: int = 0
    patience_value: float | None = None
    evaluations_waited: int = 0
    finished: bool = False

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Progress:
        """Take back what `asdict` made of one; TypeError where it cannot have made that."""
        progress = cls(**state)
        for name, default in vars(cls()).items():
            value = getattr(progress, name)
            kinds = {bool: (bool,), int: (int,)}.get(type(default), (int, float))
            if type(value) not in kinds and not (default is None and value is None):
                raise TypeError(f"progress: {name} is {value!r}")
        return progress

    def start_epoch(self) -> None:
        """Forget the sums of the epoch before."""
        self.batch = self.tokens = self.loss_steps = 0
        self.loss_sum = self.seconds = 0.0

    @property
    def mean_loss(self) -> float:
        """The mean loss of the epoch's steps so far."""
        return self.loss_sum / self.loss_steps if self.loss_steps else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Training speed over the whole run: tokens or frames per second, evaluation not counted."""
        return self.total_tokens / self.total_seconds if self.total_seconds else 0.0


@dataclass(frozen=True)
class StepRecord:
    """One optimizer step: mean loss, total L2 norm of the gradient before clipping, learning rate, size."""

    step: int
    loss: float
    gradient_norm: float
    lr: float
    tokens: int
    skipped: bool


class Observer:
    """Watches training; derive from it and override what you need, the rest does nothing.

    Observers are called in the recipe's order. `trainer` gives access to everything (`trainer.progress`,
    `trainer.state()`, `trainer.stop()`); an observer must not change weights. What `state` returns goes into
    each checkpoint and comes back through `restore` on resume.
    """

    def state(self) -> dict[str, Any]:
        """Return what must survive a resume, as plain JSON data."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""

    def training_started(self, trainer: Trainer) -> None:
        """Before the first step; on resume, after the state is back."""

    def epoch_started(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch, or the first after resuming inside one."""

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        """After each optimizer step."""

    def evaluated(self, trainer: Trainer, metrics: Mapping[str, float]) -> None:
        """After an evaluation on the dev split; `trainer.improved` says whether it was the best so far."""

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """After an epoch's last batch and its evaluation; `record` holds the epoch's figures.

        A `stop` from here is too late for the evaluation of this epoch: where it was not due, it follows.
        """

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        """When all observers have seen what happened: the only moments at which a run can be saved."""

    def training_finished(self, trainer: Trainer) -> None:
        """After the last step, also when stopped early; not when an error ends the run."""

    def close(self, trainer: Trainer) -> None:
        """Let go of terminals and files: called last, also after an error or a cancellation.

        Every observer is closed, also after another's close has raised; the first error of the run is told.
        """
