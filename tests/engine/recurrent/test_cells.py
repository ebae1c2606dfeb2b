"""What cells share; that their steps and derivatives are right is shown in test_bptt.py."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import CELLS

from seqlab.engine import CellKind
from seqlab.engine.recurrent.cells import doubled_tanh_, gates_of, sigmoid_slope, tanh_slope
from seqlab.engine.recurrent.kernels import CELLS as CELLS_BY_KIND

REALS = st.floats(-30, 30)


@settings(deadline=None)
@given(values=st.lists(REALS, min_size=1))
def test_a_doubled_argument_becomes_the_tanh_in_place(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    doubled = 2 * x
    assert doubled_tanh_(doubled) is doubled
    torch.testing.assert_close(doubled, x.tanh(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_tanh_keeps_the_dtype(dtype: torch.dtype) -> None:
    assert doubled_tanh_(torch.ones(2, dtype=dtype)).dtype == dtype


@settings(deadline=None)
@given(factor=REALS, values=st.lists(REALS, min_size=1))
def test_slopes_are_the_derivatives_times_a_factor(factor: float, values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    a = torch.full_like(x, factor)
    s, t = x.sigmoid(), x.tanh()
    torch.testing.assert_close(sigmoid_slope(a, s, grad_input=torch.empty_like(x)), a * s * (1 - s))
    torch.testing.assert_close(tanh_slope(a, t, grad_input=torch.empty_like(x)), a * (1 - t * t))


def test_gates_are_views_of_equal_width() -> None:
    gates = torch.arange(24.0).view(1, 2, 12)
    cut = gates_of(gates, 3)
    assert torch.equal(torch.cat(cut, dim=-1), gates)
    cut[1].zero_()
    assert not gates[..., 4:8].any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_cells_scales_are_one_per_gate_and_double_what_a_tanh_follows(cell: CellKind) -> None:
    tanhs = {"rnn_tanh": [0], "rnn_relu": [], "lstm": [2], "gru": [2]}[cell]
    scale = CELLS_BY_KIND[cell].scale
    assert [gate for gate, each in enumerate(scale) if each == 2] == tanhs
    assert set(scale) <= {1.0, 2.0}


@pytest.mark.parametrize("cell", CELLS)
def test_only_a_gru_takes_a_bias_of_its_own_into_a_step(cell: CellKind) -> None:
    assert (CELLS_BY_KIND[cell].shift > 0) == (cell == "gru")
