"""The training loop: windows of batches, backpropagation through time, one step per window (and chunk)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import zip_longest
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqlab.engine.batching import Batch, Budget
from seqlab.engine.best import LOSS, beats, is_best
from seqlab.engine.calls import Calls, backward
from seqlab.engine.checkpoint import matching, weights
from seqlab.engine.device import deterministic
from seqlab.engine.job import Evaluation, TrainingJob, check_job
from seqlab.engine.lanes import partly_anew
from seqlab.engine.model import SequenceModel
from seqlab.engine.nonfinite import blame_heads
from seqlab.engine.optim import make_optimizer, make_schedule, moving_average
from seqlab.engine.precision import arithmetic, resolve
from seqlab.engine.progress import Progress, StepRecord
from seqlab.engine.recurrent.native.library import instructions
from seqlab.engine.seeding import checked_rng, derived_seed, restore_rng, rng_state, seeded
from seqlab.engine.state import State, detached, saved_state
from seqlab.engine.steps import batches_of_epoch, steps_in_all, steps_of_epoch
from seqlab.engine.unreached import unreached
from seqlab.errors import PackageError, SeqlabError
from seqlab.suggest import one_of, shortened

__all__ = ["Cancelled", "Trainer"]

TINY = torch.finfo(torch.float32).tiny
"""Smallest count that a loss is divided by; no real count is as small."""


class Cancelled(SeqlabError):  # noqa: N818 - nothing went wrong
    """Training was cancelled from outside, after a window or chunk; the observers have been told."""

    exit_code = 130


class Trainer:
    """Trains a SequenceModel on a Dataset.

    `fit` runs to the end; afterwards the model holds the best weights of the monitored metric (the last ones
    without an evaluation), averaged where the settings say so. `state` and `restore` carry all that a
    bit-identical continuation needs. Raises ValueError where the settings do not fit model or data.
    """

    def __init__(self, model: SequenceModel, job: TrainingJob) -> None:
        self.model = model
        self.job = job
        self.settings = settings = job.settings
        self.device = next(model.parameters()).device
        self.precision = resolve(settings.precision, self.device)
        self.progress = Progress()
        self.improved = False
        self.best: dict[str, Tensor] | None = None
        self.metrics: Mapping[str, float] = {}
        self.notices: list[str] = []
        self.batches: list[Tensor] = []  # of the current epoch
        self.carried: list[State | None] = []  # what each batch of the window carries to its next chunk
        self._stepped = False
        check_job(model, job)
        self.data = job.data if settings.lanes is None else job.data.in_lanes(settings.lanes)
        self.optimizer = make_optimizer(model.parameters(), settings.optimizer)
        self.average = moving_average(model, settings.ema)
        self.budget = Budget(settings.batch_tokens, settings.batch_items)
        self.steps_per_epoch = steps_of_epoch(self.data.lengths, settings, epoch=0)
        self.total_steps = steps_in_all(self.data.lengths, settings)
        self.schedule = make_schedule(
            self.optimizer,
            settings.schedule,
            total_steps=self.total_steps,
            higher_is_better=job.evaluation is None or job.evaluation.higher_is_better,
        )
        self._rng: dict[str, Tensor] | None = None

    @property
    def evaluated_model(self) -> SequenceModel:
        """The model that evaluations see: the moving average where there is one."""
        if self.average is None:
            return self.model
        assert isinstance(self.average.module, SequenceModel), "it was made from one"
        return self.average.module

    def stop(self) -> None:
        """End training after the current epoch."""
        self.progress.finished = True

    # --- the loop ----------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Train to the last epoch, an early stop or a cancellation (Cancelled)."""
        with self._environment():
            self._tell("training_started")
            # An epoch that was told to be the last is finished all the same, also after a resume inside it.
            while self.progress.batch or self.progress.chunk or not self.progress.finished:
                self._epoch()
            self._evaluate_last()
            self._tell("training_finished")
        self._take_best()

    def _epoch(self) -> None:
        progress, settings = self.progress, self.settings
        batches = self.batches = batches_of_epoch(self.data.lengths, settings, epoch=progress.epoch)
        self.model.train()
        self.metrics = {}
        self._tell("epoch_started")
        for first in range(progress.batch, len(batches), settings.accumulate):
            self._window(window := batches[first : first + settings.accumulate])
            progress.batch, progress.chunk = progress.batch + len(window), 0
            self._tell("savepoint", "window")
            self._stop_if_cancelled()
        progress.epoch += 1
        progress.finished |= progress.epoch == settings.epochs
        if self.job.evaluation and (progress.epoch % settings.evaluate_every == 0 or progress.finished):
            self._evaluate(self.job.evaluation)
        record = self._epoch_record()
        progress.start_epoch()
        self._tell("epoch_finished", record)
        self._tell("savepoint", "epoch")

    def _evaluate_last(self) -> None:
        """Evaluate where only the end of an epoch made it the last one, too late for its own evaluation."""
        if self.job.evaluation and self.progress.evaluated_epoch < self.progress.epoch:
            self._evaluate(self.job.evaluation)
            self._tell("savepoint", "epoch")

    def _window(self, window: Sequence[Tensor]) -> None:
        """One optimizer step; with truncated BPTT, one per chunk, the states carried over without graph."""
        started, progress = time.perf_counter(), self.progress
        batches = [self._batch(indices).to(self.device) for indices in window]
        if not progress.chunk:
            self.carried = [None] * len(batches)
        chunks = zip_longest(*(batch.chunks(self.settings.bptt) for batch in batches))
        last = max(batch.chunk_count(self.settings.bptt) for batch in batches) - 1
        for number, parts in enumerate(chunks):
            if number < progress.chunk:  # trained on before the run was interrupted
                continue
            record = self._step(parts, self.carried)
            self._count(record, time.perf_counter() - started)
            self._tell("step_finished", record)
            if number < last:
                progress.chunk = number + 1
                self._tell("savepoint", "chunk")
                self._stop_if_cancelled()
            started = time.perf_counter()

    def _batch(self, indices: Tensor) -> Batch:
        if self.job.augment is None:
            return self.data.gather(indices)
        return self.job.augment(indices, self.progress.epoch)

    def _step(self, parts: Sequence[Batch | None], states: list[State | None]) -> StepRecord:
        """Backpropagate the mean loss over all parts, divided once by their common count; clip; step."""
        present = [(place, part) for place, part in enumerate(parts) if part is not None and part.rows]
        counts = [self.model.counts(part) for _, part in present]
        loss = zero = torch.zeros((), device=self.device)
        totals = {name: sum((count[name] for count in counts), zero) for name in self.model.head_names}
        after = list(states)
        for place, part in present:
            with arithmetic(self.precision, self.device):
                sums, state = self.model.losses(part, self._going_on(part, states[place]))
            # A head that nothing of the window was for has the sum 0, which 0 / 0 would make a nan.
            mean = torch.stack([sums[name] / totals[name].clamp(min=TINY) for name in totals]).sum()
            backward(mean, Calls(self.model.parts, part.names))
            loss = loss + mean.detach()
            after[place] = detached(state)
        if present:
            self._warn_of_unreached()
        norm = nn.utils.get_total_norm(
            [each.grad for each in self.model.parameters() if each.grad is not None]
        )
        finite = self._check_finite(float(loss), float(norm), [part for _, part in present])
        lr = self.optimizer.param_groups[0]["lr"]
        if finite:
            # A skipped chunk's states may be what is not finite: the next chunk goes on from those before it.
            states[:] = after
            self._apply(norm)
        self.optimizer.zero_grad()
        rows = sum(part.rows for _, part in present)
        return StepRecord(self.progress.step + 1, float(loss), float(norm), lr, rows, skipped=not finite)

    def _going_on(self, part: Batch, state: State | None) -> State | None:
        """Return the state that a chunk goes on from: some lanes begin anew."""
        if state is None or self.settings.lanes is None:
            return state
        return partly_anew(self.model, part, state, self.settings.lane_reset)

    def _apply(self, norm: Tensor) -> None:
        if self.settings.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.model.parameters(), self.settings.clip_norm, norm)
        self.optimizer.step()
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        if self.average:
            self.average.update_parameters(self.model)

    def _count(self, record: StepRecord, seconds: float) -> None:
        progress = self.progress
        progress.step = record.step
        progress.skipped += record.skipped
        progress.tokens += record.tokens
        progress.total_tokens += record.tokens
        progress.seconds += seconds
        progress.total_seconds += seconds
        if not record.skipped:
            progress.loss_sum += record.loss
            progress.loss_steps += 1

    def _evaluate(self, evaluation: Evaluation) -> None:
        model = self.evaluated_model
        model.eval()
        self.metrics = evaluation.judge(model)
        self.progress.evaluated_epoch = self.progress.epoch
        if evaluation.monitor is not None:
            self._follow(evaluation.monitor, higher_is_better=evaluation.higher_is_better)
        self._tell("evaluated", self.metrics)

    def _follow(self, monitor: str, *, higher_is_better: bool) -> None:
        """Let best weights, early stopping and learning rate follow the monitored figure."""
        if monitor not in self.metrics:
            message = f"the evaluation gave no {monitor!r}, which training goes by"
            raise SeqlabError(f"{message}; {one_of(self.metrics)}")
        value = self.metrics[monitor]
        self._keep_best(monitor, better=higher_is_better)
        self._update_patience(value, higher_is_better=higher_is_better)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(value)

    def _keep_best(self, monitor: str, *, better: bool) -> None:
        """Remember the weights where they are better than all that were judged before."""
        progress = self.progress
        self.improved = is_best(self.metrics, progress, monitor=monitor, higher_is_better=better)
        if self.improved:
            progress.best_value, progress.best_loss = self.metrics[monitor], self.metrics.get(LOSS)
            progress.best_epoch, progress.best_step = progress.epoch, progress.step
            self.best = weights(self.evaluated_model)

    def _update_patience(self, value: float, *, higher_is_better: bool) -> None:
        """Stop after enough evaluations without an improvement by `min_delta`."""
        progress, stopping = self.progress, self.settings.early_stopping
        if stopping is None:
            return
        reference, margin = progress.patience_value, stopping.min_delta
        if beats(value, reference, higher_is_better=higher_is_better, margin=margin):
            progress.patience_value, progress.evaluations_waited = value, 0
            return
        progress.evaluations_waited += 1
        progress.finished |= progress.evaluations_waited >= stopping.patience

    # --- state -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return all that a bit-identical continuation needs, except the best weights (`self.best`).

        The tensors are the live ones: save or copy them before the next step.
        """
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": rng_state(),
            "progress": asdict(self.progress),
            "carried": self.carried if self.progress.chunk else [],
            "precision": self.precision,
            "loops": instructions(),
            "observers": {name: observer.state() for name, observer in self.job.observers.items()},
        }

    def restore(self, state: Mapping[str, Any], best: Mapping[str, Tensor] | None) -> None:
        """Take back a `state` and the best weights saved with it; PackageError where they do not fit."""
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            if self.average:
                self.average.load_state_dict(state["average"])
            self.progress = Progress.of(state["progress"])
            self._rng = checked_rng(state["rng"])
            self.carried = [saved_state(each, self.device) for each in state.get("carried", [])]
            if self.progress.chunk and not self.carried:
                raise ValueError("it is of the middle of a sequence, and holds no carried state")
            self.best = None if best is None else matching(best, self.model)
            watched = {name: state["observers"].get(name, {}) for name in self.job.observers}
            if self.settings.precision == "auto":  # the run goes on as it began, also on another machine
                self.precision = resolve(state["precision"], self.device)
            self._tell_of_loops(state.get("loops"))
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise PackageError(f"the checkpoint does not fit this recipe: {error}") from error
        for name, observer in self.job.observers.items():
            try:
                observer.restore(watched[name])
            except Exception as error:
                error.add_note(f"observer {name} could not take back its state")
                raise

    def _tell_of_loops(self, before: str | None) -> None:
        """Say where a run goes on with other sums of its recurrent layers than it began with."""
        recurrent = any(isinstance(each, nn.RNNBase) for each in self.model.modules())
        if before == instructions() or self.device.type != "cpu" or not recurrent:
            return
        then, now = (f"native loops for {name}" if name else "torch" for name in (before, instructions()))
        logging.getLogger(__name__).warning(
            "recurrent layers were computed by %s so far, by %s now: the run goes on, but its last bits"
            " are not those of one that was never interrupted",
            then,
            now,
        )

    # --- helpers -----------------------------------------------------------------------------------------

    @contextmanager
    def _environment(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(seeded(derived_seed(self.settings.seed, "training")))
            stack.enter_context(deterministic(enabled=self.settings.deterministic))
            stack.push(self._close)
            if self._rng:
                restore_rng(self._rng)
            yield

    def _close(self, _kind: object, failure: BaseException | None, _trace: TracebackType | None) -> None:
        """Close every observer; one that fails stands in the way neither of the others nor of `failure`."""
        told = failure
        for name, observer in self.job.observers.items():
            try:
                observer.close(self)
            except Exception as error:
                if told is None:
                    told = error
                else:
                    told.add_note(f"observer {name} could not be closed: {error!r}")
        if told is not None and told is not failure:
            raise told

    def _tell(self, event: str, *facts: Any) -> None:
        for observer in self.job.observers.values():
            getattr(observer, event)(self, *facts)

    def _stop_if_cancelled(self) -> None:
        if self.job.cancelled():
            self._tell("savepoint", "interrupted")
            raise Cancelled(f"interrupted after step {self.progress.step} (epoch {self.progress.epoch + 1})")

    def _warn_of_unreached(self) -> None:
        """Tell once, after the first backward pass, which parameters it did not reach."""
        if not self._stepped and (notice := unreached(self.model)):
            self.notices.append(notice)
            logging.getLogger(__name__).warning(notice)
        self._stepped = True

    def _check_finite(self, loss: float, norm: float, parts: Sequence[Batch]) -> bool:
        """Return whether loss and gradient are finite; raise where the settings say stop."""
        if math.isfinite(loss) and math.isfinite(norm):
            return True
        if self.settings.nonfinite == "skip":
            return False
        blame_heads(self.model, parts)
        names = shortened(name for part in parts for name in part.names())
        raise SeqlabError(
            f"step {self.progress.step + 1} (epoch {self.progress.epoch + 1}): loss {loss}, gradient norm"
            f" {norm}: not finite; items of the batch: {names}; lower the learning rate, set"
            " train.clip_norm, or let such steps pass with train.nonfinite: skip"
        )

    def _epoch_record(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "loss": progress.mean_loss,
            "lr": self.optimizer.param_groups[0]["lr"],
            "skipped": progress.skipped,
            "dev": dict(self.metrics),
            "seconds": progress.seconds,
            "tokens_per_second": progress.tokens / progress.seconds if progress.seconds else 0.0,
        }

    def _take_best(self) -> None:
        """Leave the model with the weights to keep: the best evaluated ones, else the (averaged) last."""
        if self.best is not None:
            self.model.load_state_dict(self.best)
        elif self.average:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()
