"""Parameters without a gradient are told once, after the first step, each with its part."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn
from toy_models import dataset, model, settings, trainer

from seqlab.engine import State
from seqlab.engine.sequences import Sequences
from seqlab.engine.unreached import unreached


def stepped(subject: Any, caplog: pytest.LogCaptureFixture, **more: Any) -> list[str]:
    """Train for two epochs; return what was logged, which is what the trainer noticed."""
    caplog.set_level(logging.WARNING)
    made = trainer(subject, dataset(), settings(epochs=2, **more))
    made.fit()
    assert [record.getMessage() for record in caplog.records] == made.notices
    return made.notices


@pytest.mark.parametrize("more", [{}, {"bptt": 2}, {"accumulate": 3}, {"ema": 0.9}])
def test_nothing_is_told_where_every_parameter_is_reached(
    more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert stepped(model(), caplog, **more) == []


def test_a_parameter_that_takes_no_part_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    subject = model()
    subject.encoder.spare = nn.Parameter(torch.zeros(2))
    subject.encoder.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
    (notice,) = stepped(subject, caplog)
    assert "encoder.spare" in notice
    assert "frozen" not in notice
    assert "heads" not in notice


def test_an_encoder_that_detaches_its_states_is_named(caplog: pytest.LogCaptureFixture) -> None:
    subject = model()
    good = subject.encoder.forward

    def forward(inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, after = good(inputs, state)  # type: ignore[operator]
        return states.with_data(states.data.detach()), after

    subject.encoder.forward = forward  # type: ignore[method-assign]
    (notice,) = stepped(subject, caplog)
    names = [name for name, _ in subject.named_parameters() if name.startswith("encoder.")]
    assert all(name in notice for name in names)
    assert "heads" not in notice


def test_a_model_whose_gradients_are_there_has_nothing_unreached() -> None:
    subject = model()
    assert unreached(subject).count("all 1 of") == len(list(subject.parameters()))
    for parameter in subject.parameters():
        parameter.grad = torch.zeros_like(parameter)
    assert unreached(subject) == ""
