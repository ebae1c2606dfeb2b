from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from seqlab.engine.optim import make_optimizer, make_schedule, moving_average
from seqlab.settings import (
    SGD,
    Adam,
    AdamW,
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    OneCycleSchedule,
    OptimizerSettings,
    PlateauSchedule,
    ScheduleSettings,
)

LR = 0.5


def factors(settings: ScheduleSettings, total_steps: int) -> list[float]:
    """The factor on the learning rate that each optimizer step of a run sees."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    schedule = make_schedule(optimizer, settings, total_steps=total_steps, higher_is_better=True)
    assert isinstance(schedule, LambdaLR)
    seen = []
    for _ in range(total_steps):
        seen.append(optimizer.param_groups[0]["lr"] / LR)
        optimizer.step()
        schedule.step()
    return seen


def test_constant_stays_after_its_warm_up() -> None:
    assert factors(ConstantSchedule(), 3) == [1.0, 1.0, 1.0]
    assert factors(ConstantSchedule(warmup_steps=4), 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_linear_falls_from_its_peak_to_the_last_step() -> None:
    assert factors(LinearSchedule(), 5) == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    warm = factors(LinearSchedule(warmup_steps=2, final_factor=0.5), 7)
    assert warm == pytest.approx([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5])


def test_cosine_falls_from_its_peak_to_the_last_step() -> None:
    found = factors(CosineSchedule(warmup_steps=2, final_factor=0.2), 11)
    assert found[:3] == pytest.approx([0.5, 1, 1])
    assert found[6] == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 2)) / 2)
    assert found[-1] == pytest.approx(0.2)
    assert found[2:] == sorted(found[2:], reverse=True)


def test_one_cycle_rises_and_falls_by_half_cosines() -> None:
    found = factors(OneCycleSchedule(rise=0.25, start_factor=0.1, final_factor=0.01), 21)
    assert found[0] == pytest.approx(0.1)
    assert found[5] == pytest.approx(1.0)
    assert found[-1] == pytest.approx(0.01)
    assert found[:6] == sorted(found[:6])
    assert found[5:] == sorted(found[5:], reverse=True)
    # The factors of torch's own, whose peak lies at rise * total - 1.
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        1.0,
        total_steps=21,
        pct_start=6 / 21,
        div_factor=10,
        final_div_factor=10,
        cycle_momentum=False,
    )
    for factor in found:
        assert factor == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        if factor is not found[-1]:
            theirs.step()


@pytest.mark.parametrize("settings", [LinearSchedule(), CosineSchedule(warmup_steps=9), OneCycleSchedule()])
@pytest.mark.parametrize("total_steps", [1, 2])
def test_runs_of_hardly_any_steps_have_a_rate(settings: ScheduleSettings, total_steps: int) -> None:
    found = factors(settings, total_steps)
    assert all(0 <= factor <= 1 for factor in found)
    assert found[0] > 0


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_plateau_cuts_the_rate_when_patience_ends(*, higher_is_better: bool) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    settings = PlateauSchedule(factor=0.5, patience=1, min_lr=0.2)
    schedule = make_schedule(optimizer, settings, total_steps=9, higher_is_better=higher_is_better)
    assert isinstance(schedule, ReduceLROnPlateau)
    sign = 1 if higher_is_better else -1
    rates = []
    for value in [1, 2, 2.00001, 2, 2, 2, 2, 2]:
        schedule.step(sign * value)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            Adam(lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
            lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        ),
        (
            AdamW(lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
            lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
        ),
    ],
)
def test_optimizers_step_like_torchs_plain_ones(settings: OptimizerSettings, expected: object) -> None:
    assert callable(expected)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, generator=generator, dtype=torch.float64)
    gradients = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    ended = []
    for make in (lambda p: make_optimizer(p, settings), expected):
        weights = nn.Parameter(start.clone())
        optimizer = make([weights])
        for gradient in gradients:
            weights.grad = gradient.clone()
            optimizer.step()
        ended.append(weights.detach())
    assert torch.allclose(ended[0], ended[1], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(ended[0], start)


def test_the_moving_average_is_the_one_of_its_decay() -> None:
    layer = nn.Linear(2, 1, dtype=torch.float64)
    assert moving_average(layer, None) is None
    average = moving_average(layer, 0.75)
    assert average is not None
    expected = None
    for value in (1.0, 3.0, -2.0):
        with torch.no_grad():
            layer.weight.fill_(value)
        average.update_parameters(layer)
        expected = value if expected is None else 0.75 * expected + 0.25 * value
        assert average.module.get_parameter("weight").tolist() == [pytest.approx([expected, expected])]
    assert layer.weight.tolist() == [[-2.0, -2.0]]
