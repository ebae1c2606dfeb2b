"""Watches how far back in time gradients reach: `gradient_flow.json` and `gradient_flow.png`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from seqlab.api import PackageError, SeqlabError
from seqlab.builtin.core.observers.gradient_plot import draw
from seqlab.builtin.core.observers.gradient_probe import (
    Probe,
    recurrent_stacks,
    trained_parameters,
    update_ratios,
    weight_figures,
)
from seqlab.engine import Observer, StepRecord, Trainer
from seqlab.engine.checkpoint import write_atomically
from seqlab.engine.seeding import derived_seed
from seqlab.openfile import read_regular

__all__ = ["GradientFlow"]


class GradientFlow(Observer):
    """Probes the gradients before training and after every so many epochs.

    A probe takes the same `items` sequences of the training data each time, and the weights as they are
    trained (not their moving average), in evaluation mode. Training goes on as if there had been none.
    SeqlabError at the start where the encoder has no recurrent layers.

    What the last optimizer step before a probe has changed is found with a copy of the weights, made just
    before each step of the epoch's last window and before no other. A skipped step changes nothing and is not
    measured.
    """

    def __init__(
        self, folder: Path, *, every_epochs: int = 1, items: int = 32, max_lag: int | None = None, plot: bool
    ) -> None:
        self.json = folder / "gradient_flow.json"
        self.png = folder / "gradient_flow.png" if plot else None
        self.every_epochs = every_epochs
        self.items = items
        self.max_lag = max_lag
        self.probes: list[dict[str, Any]] = []
        self.seen = 0
        self.before: dict[str, Tensor] = {}
        self.updates: dict[str, float | None] = {}
        self.hook: RemovableHandle | None = None
        self.last_window = 0

    def state(self) -> dict[str, Any]:
        """Return how many probes there are, which stand in the file, and what the next one has to tell."""
        return {"probes": len(self.probes), "updates": self.updates}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue after the probes that belong to the checkpoint."""
        self.seen = state.get("probes", 0)
        self.updates = dict(state.get("updates", {}))

    def training_started(self, trainer: Trainer) -> None:
        """Probe what has not been trained yet, or go on from the probes of the checkpoint."""
        if not recurrent_stacks(trainer.model):
            raise SeqlabError(
                "observer gradient_flow: the encoder has no recurrent layers whose gradients could be"
                " measured; take the observer out of the recipe, or choose a recurrent encoder"
            )
        self.probe = Probe(trainer.job.data, self._choose(trainer), self.max_lag)
        self.hook = trainer.optimizer.register_step_pre_hook(lambda *_: self._remember(trainer))
        if trainer.progress.step:
            self.probes = self._read()
            self._write()
        else:
            self.probes = []
            self._probe(trainer)

    def epoch_started(self, trainer: Trainer) -> None:
        """Find where the last window begins."""
        accumulate = trainer.settings.accumulate
        self.last_window = (len(trainer.batches) - 1) // accumulate * accumulate

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        """Measure a step that may be the last one before a probe."""
        if self.before:
            self.updates = update_ratios(trainer.model, self.before)
            self.before = {}

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Probe at the steps that are asked for."""
        if record["epoch"] % self.every_epochs == 0:
            self._probe(trainer)

    def close(self, trainer: Trainer) -> None:
        """Let go of the optimizer."""
        if self.hook:
            self.hook.remove()

    def _choose(self, trainer: Trainer) -> list[Tensor]:
        """Draw the sequences once and for all, and cut them into batches no larger than those of training."""
        lengths = trainer.job.data.lengths
        present = lengths.nonzero()[:, 0]
        seed = derived_seed(trainer.settings.seed, "gradient_flow")
        order = torch.randperm(len(present), generator=torch.Generator().manual_seed(seed))
        chosen = present[order[: self.items].sort().values]
        return list(trainer.budget.cut(chosen, lengths))

    def _remember(self, trainer: Trainer) -> None:
        """Keep the weights before a step that may be the last one before a probe."""
        progress = trainer.progress
        if (progress.epoch + 1) % self.every_epochs == 0 and progress.batch >= self.last_window:
            named = trained_parameters(trainer.model).items()
            self.before = {name: each.detach().clone() for name, each in named}

    def _probe(self, trainer: Trainer) -> None:
        model = trainer.model
        gradients = self.probe.weight_gradients(model)
        self.probes.append(
            {
                "epoch": trainer.progress.epoch,
                "step": trainer.progress.step,
                "layers": self.probe.flow(model),
                "parameters": weight_figures(model, gradients, self.updates),
            }
        )
        self.updates = {}
        self._write()

    def _read(self) -> list[dict[str, Any]]:
        """Return the probes that the checkpoint knows, from the file that was written before it."""
        try:
            probes = json.loads(read_regular(self.json))["probes"] if self.seen else []
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PackageError(f"{self.json}: cannot be read: {error}") from error
        if len(probes) < self.seen:
            raise PackageError(f"{self.json}: has {len(probes)} probes, but the checkpoint knows {self.seen}")
        return list(probes[: self.seen])

    def _write(self) -> None:
        items = sum(len(batch) for batch in self.probe.batches)
        text = json.dumps({"items": items, "probes": self.probes}, allow_nan=False)
        write_atomically(self.json, f"{text}\n".encode())
        if self.png and self.probes:
            write_atomically(self.png, draw(self.probes))
