"""Progress of a run on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from seqlab.engine import Observer, StepRecord, Trainer
from seqlab.printable import printable

__all__ = ["Console"]


class StandardError(RichConsole):
    """Standard error as rich prints to it; where nobody can read it any more, it falls silent."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Fall silent; rich would end the program."""
        self.quiet = True

    def say(self, text: str) -> None:
        """Print a line as it is, but for control characters."""
        with self.lenient():
            self.print(printable(text), markup=False)

    @contextmanager
    def lenient(self) -> Iterator[None]:
        """Fall silent where the block cannot write, on a full disk or a terminal that is gone."""
        try:
            yield
        except OSError:
            self.quiet = True


class Console(Observer):
    """A live bar with loss, speed and time left on a terminal; one plain line per epoch everywhere.

    A reader of standard error that goes away does not end the training: it goes on in silence.
    """

    def __init__(self, *, bar: bool = True) -> None:
        self.console = StandardError()
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.live = bar and self.console.is_terminal

    def training_started(self, trainer: Trainer) -> None:
        """Say what will be trained on; start the bar."""
        size = sum(each.numel() for each in trainer.model.parameters())
        data = trainer.job.data
        self.console.say(
            f"training: {len(data):,} sequences, {int(data.lengths.sum()):,} rows, {size:,} parameters,"
            f" {trainer.steps_per_epoch:,} steps an epoch, on {trainer.device}"
        )
        if self.live:
            self._start_bar(trainer)

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        """Move the bar."""
        if self.bar:
            progress = trainer.progress
            speed = f"{progress.tokens / progress.seconds:,.0f}" if progress.seconds else "-"
            self.bar.update(self.task, completed=record.step, loss=f"{progress.mean_loss:.4f}", speed=speed)

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Print the epoch's line."""
        job, dev = trainer.job, record["dev"]
        shown = [f"epoch {record['epoch']}/{job.settings.epochs}", f"loss {record['loss']:.4f}"]
        if job.evaluation and dev:
            monitor = job.evaluation.monitor
            names = dict.fromkeys(("loss", monitor))
            shown += [f"dev {name} {dev[name]:.4f}" for name in names if name and name in dev]
            shown += ["best so far"] if trainer.improved else []
        shown.append(f"{record['tokens_per_second']:,.0f} tokens/s")
        shown += [f"{record['skipped']} steps skipped"] if record["skipped"] else []
        self.console.say("  ".join(shown))

    def training_finished(self, trainer: Trainer) -> None:
        """Say where training stopped early."""
        if trainer.progress.epoch < trainer.settings.epochs:
            self.console.say(f"stopped early after epoch {trainer.progress.epoch}")

    def close(self, trainer: Trainer) -> None:
        """Remove the bar and give the cursor back."""
        if self.bar:
            with self.console.lenient():
                self.bar.stop()

    def _start_bar(self, trainer: Trainer) -> None:
        self.bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} tokens/s"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        total, completed = trainer.total_steps, trainer.progress.step
        self.task = self.bar.add_task("training", total=total, completed=completed, loss="-", speed="-")
        self.bar.start()
