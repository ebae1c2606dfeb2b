"""Settings that cannot be, and schedules that cannot do what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqlab import Lab, RecipeError
from seqlab.cli.main import main
from seqlab.plugin import Registry
from seqlab.settings import (
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    ScheduleSettings,
    TrainSettings,
    schedule_fault,
)

LARGEST = 2**63 - 1


def integer_keys(registry: Registry) -> list[tuple[str, str, str]]:
    """Return kind, component and key of every setting that takes an integer."""
    return [
        (kind, name, key)
        for kind, names in registry.catalogue().items()
        for name in names
        for key, field in registry.get(kind, name).config.model_fields.items()
        if field.annotation in (int, int | None)
    ]


def test_no_component_takes_an_integer_of_more_than_64_bits(lab: Lab) -> None:
    keys = integer_keys(lab.registry)
    assert len(keys) > 40
    for kind, name, key in keys:
        config = lab.registry.get(kind, name).config
        for value in (10**20, -(10**20), 10**5000):
            with pytest.raises(ValueError, match=rf"(?s){key}.*(must|should) be|{key}.*of \d+ bits"):
                config(**{key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("encoder.hidden_size=99999999999999999999", f"at most {LARGEST}, got 99999999999999999999"),
        (f"train.batch_tokens={2**63}", f"at most {LARGEST}, got {2**63}"),
        ("train.epochs=0x" + "f" * 64, f"at most {LARGEST}, got an integer of 256 bits"),
    ],
)
def test_check_names_key_and_limit_of_an_integer_that_is_too_large(
    change: str, message: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(toy), change]) == 2
    key = change.partition("=")[0]
    assert capsys.readouterr().err == f"command line: {key}: must be {message}\n"


def test_the_largest_integer_is_allowed() -> None:
    assert TrainSettings(epochs=LARGEST).epochs == LARGEST


@pytest.mark.parametrize(
    ("schedule", "steps", "fault"),
    [
        (ConstantSchedule(warmup_steps=9), 10, ""),
        (ConstantSchedule(warmup_steps=10), 10, "constant never leaves its warm-up: warmup_steps is 10,"),
        (LinearSchedule(warmup_steps=11), 10, "linear never leaves its warm-up: warmup_steps is 11,"),
        (CosineSchedule(warmup_steps=500), 10, "cosine never leaves its warm-up: warmup_steps is 500,"),
        (OneCycleSchedule(rise=0.2), 6, ""),
        (OneCycleSchedule(rise=0.2), 5, "one_cycle cannot rise: a training of 5 steps is too short"),
    ],
)
def test_a_schedule_is_told_that_has_too_few_steps(
    schedule: ScheduleSettings, steps: int, fault: str
) -> None:
    train = TrainSettings(schedule=schedule)
    assert schedule_fault(train) == ""
    assert schedule_fault(train, steps).startswith(fault)
    assert bool(schedule_fault(train, steps)) == bool(fault)


def test_a_plateau_is_told_that_has_too_few_evaluations() -> None:
    schedule = PlateauSchedule(patience=2)
    assert schedule_fault(TrainSettings(schedule=schedule, epochs=10, evaluate_every=3)) == ""
    assert schedule_fault(TrainSettings(schedule=schedule, epochs=9, evaluate_every=3)) == (
        "plateau can never cut the rate: with patience 2 it needs at least 4 evaluations, epochs and"
        " evaluate_every come to 3"
    )


def test_what_the_recipe_shows_is_said_by_check_and_the_rest_by_the_run(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plateau = ["train.schedule={name: plateau, patience: 8}", "train.epochs=2"]
    assert main(["check", str(toy), *plateau]) == 0
    said = capsys.readouterr()
    assert said.out == f"{toy}: no problems\n"
    assert said.err.startswith("warning: command line: train.schedule: plateau can never cut the rate: ")
    warm = ["train.schedule={name: linear, warmup_steps: 4000}", "train.epochs=2"]
    assert main(["check", str(toy), *warm]) == 0
    assert capsys.readouterr().err == ""
    assert main(["run", str(toy), *warm, "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    found = capsys.readouterr()
    notice = "command line: train.schedule: linear never leaves its warm-up: warmup_steps is 4000, "
    assert f"warning: {notice}" in found.err
    assert f"\n{notice}" in found.out


def test_one_of_two_is_told_as_exactly_two(toy: Path, lab: Lab) -> None:
    with pytest.raises(RecipeError, match=r"train\.optimizer\.betas: must have exactly 2 items, got 1$"):
        lab.check(toy, ["train.optimizer={name: adam, betas: [0.9]}"])
