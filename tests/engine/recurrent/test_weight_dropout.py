"""Dropout on the recurrent weights, one mask per batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recurrent_cases import CELLS, sequences, stack, stack_of

from seqlab.engine import CellKind
from seqlab.engine.recurrent.cells import weights_of
from seqlab.engine.seeding import seeded


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kernel", ["packed", "auto"])
def test_it_runs_on_weights_of_which_some_are_0(cell: CellKind, kernel: str) -> None:
    made = stack(cell, weight_dropout=0.5, kernel=kernel).float().train()
    inputs = sequences(dtype=torch.float32)
    (layer,) = made.layers
    with seeded(4):
        (dropped,) = weights_of(layer, made.spec)  # type: ignore[arg-type]
    zeros = dropped.hidden == 0
    assert 0 < int(zeros.sum()) < zeros.numel()
    torch.testing.assert_close(dropped.hidden[~zeros], 2 * layer.weight_hh_l0[~zeros])  # type: ignore[operator,index,union-attr]
    with seeded(4):
        found, _ = made(inputs)
    plain = stack_of(replace(made.spec, weight_dropout=0.0, kernel="packed"), dtype=torch.float32)
    plain.load_state_dict(made.state_dict())
    with torch.no_grad():
        plain.layers[0].weight_hh_l0.copy_(dropped.hidden)  # type: ignore[operator,union-attr]
    torch.testing.assert_close(found.data, plain(inputs)[0].data)


@pytest.mark.parametrize("cell", CELLS)
def test_it_acts_in_training_only_and_what_is_dropped_has_no_gradient(cell: CellKind) -> None:
    made = stack(cell, weight_dropout=0.5).float()
    inputs = sequences(dtype=torch.float32)
    assert torch.equal(made.eval()(inputs)[0].data, made(inputs)[0].data)
    with torch.no_grad():
        assert torch.equal(made.train()(inputs)[0].data, made.eval()(inputs)[0].data)
    with seeded(4):
        made.train()(inputs)[0].data.sum().backward()
    with seeded(4):
        (dropped,) = weights_of(made.layers[0], made.spec)  # type: ignore[arg-type]
    grad = made.layers[0].weight_hh_l0.grad  # type: ignore[union-attr]
    assert not grad[dropped.hidden == 0].any()  # type: ignore[index,union-attr]
    assert grad.any()  # type: ignore[union-attr,operator]
