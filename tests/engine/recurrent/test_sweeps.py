from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_passes import Layer
from recurrent_cases import CELLS
from torch import Tensor

from seqlab.engine import CellKind
from seqlab.engine.recurrent.kernels import CELLS as CELLS_BY_KIND
from seqlab.engine.recurrent.sweeps import ForwardSweep, previous


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6).map(lambda each: sorted(each, reverse=True)),
    more=st.integers(0, 3),
)
def test_previous_rows_are_those_of_the_same_sequence_one_step_earlier(sizes: list[int], more: int) -> None:
    steps = [torch.arange(size) + 10 * number for number, size in enumerate(sizes, start=1)]
    block = torch.cat(steps).view(1, -1, 1)
    start = torch.arange(sizes[0] + more).view(1, -1, 1)
    assert torch.equal(previous(start, block, sizes), block - 10)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sweep_leaves_the_weights_alone_and_may_be_used_again(cell: CellKind) -> None:
    layer = Layer(cell=cell, directions=1)
    leaves = {name: each.detach() for name, each in layer.leaves().items()}
    weights = layer.weights(leaves)
    before = {name: each.clone() for name, each in leaves.items()}
    sweep = ForwardSweep(CELLS_BY_KIND[cell], weights, None, torch.float64)
    sizes = list(layer.layout.steps)

    def walk() -> Tensor:
        output = leaves["inputs"].new_empty(1, sum(sizes), layer.hidden)
        sweep.begin(layer.state)
        _, state = sweep.walk(sweep.gates((layer.inputs,)), layer.state, output, sizes)
        return torch.cat([output, *sweep.finish(state)], dim=1)

    assert torch.equal(walk(), walk())
    assert all(torch.equal(each, leaves[name]) for name, each in before.items())
