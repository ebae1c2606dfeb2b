"""Saves the training state while it runs."""

from __future__ import annotations

from pathlib import Path

from seqlab.engine import CheckpointFolder, Observer, SaveReason, Trainer

__all__ = ["Checkpoints"]


class Checkpoints(Observer):
    """Writes the last state and the best weights every so many steps, and whenever an epoch ends."""

    def __init__(self, path: Path, *, every_steps: int) -> None:
        self.folder = CheckpointFolder(path)
        self.every_steps = every_steps
        self.saved_at = 0

    def training_started(self, trainer: Trainer) -> None:
        """Count from where training starts."""
        self.saved_at = trainer.progress.step

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        """Save where an epoch or the run ends, or enough steps have passed."""
        if reason in ("chunk", "window") and trainer.progress.step - self.saved_at < self.every_steps:
            return
        self.folder.save(trainer.state(), trainer.best, trainer.progress.best_step)
        self.saved_at = trainer.progress.step
