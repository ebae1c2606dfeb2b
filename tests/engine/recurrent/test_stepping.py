"""Steps of a stack are what the whole is, by the native loops and by torch's cells."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from recurrent_cases import CELLS, stack, stack_of
from torch import Tensor

from seqlab.engine import CellKind, RecurrentSpec, Sequences
from seqlab.engine.recurrent import kernels, stepping
from seqlab.engine.recurrent.kernels import choose_kernel

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)


@pytest.fixture(params=["native", "cells"])
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is here, and as where there was no compiler at installation."""
    if request.param == "cells":
        for module in (kernels, stepping):
            monkeypatch.setattr(module, "library", lambda: None)


def rows_of(sequences: int, steps: int, size: int = 5) -> Tensor:
    return torch.randn(steps, sequences, size)


@pytest.mark.usefixtures("_loops")
@pytest.mark.parametrize("sequences", [1, 7])
@EVERY_CELL
def test_steps_are_the_whole(cell: CellKind, sequences: int) -> None:
    made = stack(
        cell, input_size=5, hidden_size=21, num_layers=3, initial_state="learned", kernel="auto"
    ).float()
    for each in made.initial:
        torch.nn.init.normal_(each)
    rows = rows_of(sequences, 6)
    with torch.no_grad():
        whole, last = made(Sequences.from_list(list(rows.unbind(1))))
    step = made.stepper(sequences)
    found = torch.stack([step(each) for each in rows], dim=1)
    torch.testing.assert_close(list(found), whole.to_list())
    torch.testing.assert_close(step.state, last)


@pytest.mark.usefixtures("_loops")
def test_a_stepper_goes_on_from_a_state_that_it_is_given() -> None:
    made, rows = stack("lstm", input_size=5, num_layers=2).float(), rows_of(2, 8)
    step = made.stepper(2)
    for each in rows[:4]:
        step(each)
    other = made.stepper(2, step.state)
    once, again = ([each(row) for row in rows[4:]] for each in (step, other))
    assert all(map(torch.equal, once, again))
    other.state = tuple(torch.zeros_like(part) for part in other.state)
    assert not torch.equal(other(rows[0]), again[0])


@pytest.mark.usefixtures("_loops")
@pytest.mark.parametrize("sequences", [1, 8])
@EVERY_CELL
def test_weights_of_bf16_are_those_weights_rounded(cell: CellKind, sequences: int) -> None:
    made = stack(cell, input_size=5, hidden_size=21, num_layers=2).float()
    rounded = copy.deepcopy(made)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if "weight" in name:
                weight.copy_(weight.bfloat16())
    steps = made.stepper(sequences, weights="bf16"), rounded.stepper(sequences), made.stepper(sequences)
    for rows in rows_of(sequences, 6):
        found, expected, exact = (step(rows) for step in steps)
        assert torch.equal(found, expected)
        assert not torch.equal(found, exact)
        torch.testing.assert_close(found, exact, rtol=0, atol=0.02)


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="weights must be one of: fp32, bf16; got 'int8'"):
        stack("lstm").stepper(weights="int8")  # type: ignore[arg-type]


def test_what_is_handed_out_stays_as_it_is() -> None:
    step = stack("gru", input_size=5).float().stepper()
    first, state = step(rows_of(1, 1)[0]), step.state
    kept = first.clone(), state[0].clone()
    step(rows_of(1, 1)[0])
    assert torch.equal(first, kept[0])
    assert torch.equal(state[0], kept[1])


@pytest.mark.parametrize("options", [{"bidirectional": True}, {"proj_size": 2}])
def test_a_stack_that_cannot_be_stepped_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="reads forwards only and does not project"):
        stack("lstm", **options).stepper()


def test_shapes_are_checked() -> None:
    step = stack("lstm", input_size=5).float().stepper(2)
    with pytest.raises(ValueError, match=r"rows of shape \(2, 5\), got \(1, 5\)"):
        step(torch.zeros(1, 5))
    with pytest.raises(
        ValueError, match=r"rows of torch.float32 on cpu, as the weights are; got torch.float64"
    ):
        step(torch.zeros(2, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"parts of shape \[\(2, 1, 4\), \(2, 1, 4\)\]"):
        step.state = (torch.zeros(1, 1, 4),) * 2


@EVERY_CELL
def test_a_single_sequence_takes_torchs_cells_in_prediction(
    cell: CellKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "library", lambda: None)
    spec = RecurrentSpec(cell=cell, input_size=5, hidden_size=6, num_layers=2, bidirectional=True)
    rows = Sequences.from_flat(torch.randn(4, 5), [0, 4])
    with torch.no_grad():
        assert choose_kernel(spec, rows) == "cells"
        found, state = stack_of(spec, dtype=torch.float32)(rows)
        packed = RecurrentSpec(
            cell=cell, input_size=5, hidden_size=6, num_layers=2, bidirectional=True, kernel="packed"
        )
        expected, last = stack_of(packed, dtype=torch.float32)(rows)
    torch.testing.assert_close(found.data, expected.data)
    torch.testing.assert_close(state, last)
