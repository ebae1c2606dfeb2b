from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import cast

import pytest

from seqlab.builtin.observers.ctc_hints import CTCHints
from seqlab.engine import Trainer

Said = Callable[[], list[str]]
TRAINER = cast("Trainer", None)


def evaluated(
    observer: CTCHints, shares: Sequence[float], prefix: str = "", losses: Sequence[float] = ()
) -> None:
    for share, loss in zip_longest(shares, losses, fillvalue=2.9):
        observer.evaluated(TRAINER, {f"{prefix}loss": loss, "wer": 1.0, f"{prefix}empty_answers": share})


def trained(observer: CTCHints, losses: Iterable[float]) -> None:
    for epoch, loss in enumerate(losses, start=1):
        observer.epoch_finished(TRAINER, {"epoch": epoch, "loss": loss})


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return what has been said so far."""
    caplog.set_level(logging.WARNING, logger="seqlab")
    return lambda: caplog.messages


def test_answers_that_stay_empty_are_told_once(said: Said) -> None:
    observer = CTCHints(patience=3)
    evaluated(observer, [1.0, 1.0])
    assert not said()
    evaluated(observer, [0.97, 1.0, 1.0, 1.0])
    (message,) = said()
    assert message.startswith(
        "empty_answers: 97% of the answers are empty, in the last 3 evaluations as well, and the loss hardly"
    )


def test_a_model_that_begins_to_answer_is_left_alone(said: Said) -> None:
    evaluated(CTCHints(patience=3), [1.0, 1.0, 0.4, 1.0, 1.0, 0.0])
    assert not said()


def test_each_head_has_its_own_count(said: Said) -> None:
    observer = CTCHints(patience=2)
    evaluated(observer, [1.0], "a.")
    evaluated(observer, [1.0], "b.")
    assert not said()
    evaluated(observer, [1.0], "b.")
    assert [message.split(":")[0] for message in said()] == ["b.empty_answers"]


def test_a_loss_that_falls_is_given_time(said: Said) -> None:
    observer = CTCHints(patience=3)
    evaluated(observer, [1.0] * 5, losses=[20.0, 9.0, 5.0, 4.0, 3.5])
    assert not said()
    evaluated(observer, [1.0], losses=[3.4])
    assert not said()
    evaluated(observer, [1.0], losses=[3.3])
    assert len(said()) == 1


def test_figures_without_empty_answers_say_nothing(said: Said) -> None:
    CTCHints(patience=1).evaluated(TRAINER, {"loss": 1.0, "accuracy": 1.0})
    assert not said()


def test_a_loss_that_rises_again_is_told_once(said: Said) -> None:
    trained(CTCHints(), [3.0, 1.0, 0.5, 1.9, 2.5, 9.0])
    (message,) = said()
    assert message.startswith("the loss of epoch 4 is 1.9, after 0.5 in its best epoch: training")


@pytest.mark.parametrize("losses", [[3.0, 2.0, 2.5, 2.1], [3.0, 0.01, 0.03, 0.02], [1.0], [3.0, 0.0, 2.9]])
def test_a_loss_that_wavers_is_no_divergence(said: Said, losses: list[float]) -> None:
    trained(CTCHints(), losses)
    assert not said()


def test_a_resumed_run_goes_on_counting_and_does_not_repeat_itself(said: Said) -> None:
    observer = CTCHints(patience=3)
    evaluated(observer, [1.0, 1.0])
    trained(observer, [3.0, 0.5])
    again = CTCHints(patience=3)
    again.restore(json.loads(json.dumps(observer.state())))
    evaluated(again, [1.0])
    trained(again, [2.0])
    assert len(said()) == 2
    third = CTCHints(patience=3)
    third.restore(json.loads(json.dumps(again.state())))
    evaluated(third, [1.0])
    trained(third, [5.0])
    assert len(said()) == 2
    CTCHints().restore({})
