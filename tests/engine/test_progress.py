from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

from seqlab.engine import Observer, Progress


def test_a_new_epoch_forgets_the_sums_of_the_old_one_only() -> None:
    numbers: dict[str, Any] = dict.fromkeys(asdict(Progress()), 3) | {"finished": False}
    progress = Progress(**numbers)
    progress.start_epoch()
    changed = {name for name, value in asdict(progress).items() if value != numbers[name]}
    assert changed == {"batch", "tokens", "loss_sum", "loss_steps", "seconds"}


def test_means_of_nothing_are_zero() -> None:
    assert Progress().mean_loss == Progress().tokens_per_second == 0.0
    assert Progress(loss_sum=6.0, loss_steps=4).mean_loss == 1.5
    assert Progress(total_tokens=100, total_seconds=4.0).tokens_per_second == 25.0


def test_an_observer_that_overrides_nothing_does_nothing() -> None:
    class Quiet(Observer):
        pass

    quiet = Quiet()
    assert quiet.state() == {}
    events = [
        name for name, _ in inspect.getmembers(Observer, inspect.isfunction) if not name.startswith("_")
    ]
    assert events == [
        "close",
        "epoch_finished",
        "epoch_started",
        "evaluated",
        "restore",
        "savepoint",
        "state",
        "step_finished",
        "training_finished",
        "training_started",
    ]
    for name in set(events) - {"state"}:
        parameters = inspect.signature(getattr(quiet, name)).parameters
        assert getattr(quiet, name)(*parameters) is None
