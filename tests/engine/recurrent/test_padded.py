"""oneDNN's LSTM on a padded batch: exact against the reference, whatever the padding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_passes import Layer, by_kernel, by_reference
from recurrent_cases import Answers, assert_same

from seqlab.engine import Sequences
from seqlab.engine.recurrent.padded import padding_share, run_padded
from seqlab.engine.sequences import Layout


def by_padding(layer: Layer, dtype: torch.dtype = torch.float64) -> Answers:
    """Return what `by_kernel` returns but for the tap, which only the packed kernel serves."""
    leaves = {name: leaf.detach().to(dtype).requires_grad_() for name, leaf in layer.leaves().items()}
    state = tuple(leaves[f"state {number}"] for number in range(2))
    inputs = Sequences(leaves["inputs"], layer.layout)
    output, final = run_padded(inputs, layer.weights(leaves), state)
    wanted = [layer.d_output.to(dtype), *(part.to(dtype) for part in layer.d_final)]
    grads = torch.autograd.grad([output, *final], list(leaves.values()), wanted)
    found = {"output": output.detach()}
    found |= {f"final {number}": part.detach() for number, part in enumerate(final)}
    found |= {f"gradient of {name}": grad for name, grad in zip(leaves, grads, strict=True)}
    return {name: each.double() for name, each in found.items()}


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    return Layer(
        cell="lstm",
        lengths=tuple(sorted(lengths, reverse=True)),
        hidden=draw(st.integers(1, 5)),
        directions=draw(st.sampled_from((1, 2))),
        seed=draw(st.integers(0, 2**30)),
    )


@settings(max_examples=80, deadline=None)
@given(layer=layers())
def test_everything_is_what_the_reference_computes(layer: Layer) -> None:
    expected = by_reference(layer)
    del expected["tap"]
    assert_same(by_padding(layer), expected, 1e-11)


@pytest.mark.parametrize("lengths", [(40, 1), (23, 22, 22, 9), (5, 5)], ids=str)
def test_in_single_precision_it_is_the_packed_kernel_up_to_rounding(lengths: tuple[int, ...]) -> None:
    layer = Layer(cell="lstm", lengths=lengths, hidden=16)
    expected = by_kernel(layer)
    del expected["tap"]
    assert_same(by_padding(layer, torch.float32), expected, 1e-5)


def test_a_long_padding_wears_no_cell_away() -> None:
    layer = Layer(cell="lstm", lengths=(2000, 3), hidden=4)
    found = by_padding(layer, torch.float32)["final 1"][:, 1]
    torch.testing.assert_close(found, by_kernel(layer)["final 1"][:, 1], rtol=1e-5, atol=1e-5)


def test_large_weights_do_not_open_a_gate_on_padding() -> None:
    layer = Layer(cell="lstm", lengths=(9, 2), hidden=3)
    leaves = {name: leaf.detach() * 50 for name, leaf in layer.leaves().items()}
    inputs, state = Sequences(leaves["inputs"], layer.layout), (leaves["state 0"], leaves["state 1"])
    _, (hidden, cell) = run_padded(inputs, layer.weights(leaves), state)
    short = replace(layer, lengths=(2,))
    mine = (layer.layout.items == 1).nonzero().flatten()
    alone = Sequences(leaves["inputs"][mine], short.layout)
    alone_state = tuple(part[:, 1:] for part in state)
    _, (alone_hidden, alone_cell) = run_padded(alone, layer.weights(leaves), alone_state)
    torch.testing.assert_close(hidden[:, 1:], alone_hidden)
    torch.testing.assert_close(cell[:, 1:], alone_cell)


def test_the_share_of_padding_counts_sequences_with_rows_only() -> None:
    assert padding_share(Layout.of([4, 2, 0])) == 0.25
    assert padding_share(Layout.of([3, 3])) == 0
