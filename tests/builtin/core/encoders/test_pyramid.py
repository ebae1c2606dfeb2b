from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqlab.api import Sequences
from seqlab.builtin.core.encoders.pyramid import Pyramid, stacked, stacked_lengths
from seqlab.engine import RecurrentSpec
from seqlab.engine.seeding import seeded

LENGTHS = [9, 1, 4, 12, 0, 7, 2]


def pyramid(*factors: int, dropouts: dict[str, float] | None = None, **changes: Any) -> Pyramid:
    spec = {"cell": "lstm", "input_size": 3, "hidden_size": 4, "bidirectional": True} | changes
    with seeded(1):
        return Pyramid(RecurrentSpec(**spec), factors, **dropouts or {})


def frames(lengths: list[int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, 3, generator=generator) for length in lengths]


def states(made: Pyramid, inputs: list[Tensor]) -> list[Tensor]:
    return made(Sequences.from_list(inputs))[0].to_list()


def joined(rows: Tensor, factor: int) -> Tensor:
    """Row after row by hand: each `factor` of them as one, the last one repeated."""
    groups = [rows[first : first + factor] for first in range(0, len(rows), factor)]
    full = [torch.cat([group, *[rows[-1:]] * (factor - len(group))]) for group in groups]
    return torch.stack([group.flatten() for group in full])


# --- joining rows --------------------------------------------------------------------------------------


def test_the_last_row_is_repeated_where_rows_are_missing() -> None:
    counting = Sequences.from_list([torch.arange(7)[:, None], torch.arange(10, 13)[:, None]])
    found = [each.tolist() for each in stacked(counting, 3).to_list()]
    assert found == [[[0, 1, 2], [3, 4, 5], [6, 6, 6]], [[10, 11, 12]]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 5))
def test_rows_are_joined_within_each_sequence(lengths: list[int], factor: int) -> None:
    inputs = frames(lengths)
    found = stacked(Sequences.from_list(inputs), factor)
    assert found.data.shape[1] == 3 * factor
    assert found.lengths.tolist() == [math.ceil(length / factor) for length in lengths]
    assert torch.equal(found.lengths, stacked_lengths(torch.tensor(lengths), factor))
    for mine, one in zip(found.to_list(), inputs, strict=True):
        assert not len(one) or torch.equal(mine, joined(one, factor))


# --- the layers ----------------------------------------------------------------------------------------


TORCHS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}


@pytest.mark.parametrize("cell", sorted(TORCHS))
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("factors", [(1, 2, 2), (3,), (2, 1, 3)])
def test_layers_are_torchs_on_joined_rows(
    cell: str, factors: tuple[int, ...], *, bidirectional: bool
) -> None:
    made = pyramid(*factors, cell=cell, bidirectional=bidirectional)
    assert made.output_size == (8 if bidirectional else 4)
    inputs = frames(LENGTHS)
    for found, one in zip(states(made, inputs), inputs, strict=True):
        if not len(one):
            assert found.shape == (0, made.output_size)
            continue
        for factor, layer in zip(factors, made.layers, strict=True):
            one = joined(one, factor)
            torchs = TORCHS[cell](one.shape[1], 4, bidirectional=bidirectional)
            torchs.load_state_dict(layer.state_dict())
            one, _ = torchs(one)
        assert torch.allclose(found, one, atol=1e-5)


def test_lengths_are_rounded_up_layer_after_layer() -> None:
    lengths = list(range(30))
    expected = [math.ceil(math.ceil(length / 2) / 3) for length in lengths]
    assert pyramid(2, 1, 3).output_lengths(torch.tensor(lengths)).tolist() == expected
    listen = pyramid(1, 2, 2, 2)
    assert [len(each) for each in states(listen, frames(lengths))] == [-(-length // 8) for length in lengths]


@pytest.mark.parametrize("length", range(1, 10))
def test_every_row_has_a_part_in_the_states(length: int) -> None:
    row = frames([length])[0].requires_grad_()
    torch.cat(states(pyramid(2, 2), [row, *frames([12])])[:1]).square().sum().backward()  # type: ignore[no-untyped-call]
    assert row.grad is not None
    assert (row.grad.abs().sum(1) > 0).all()


def test_gradients_are_those_of_the_formula() -> None:
    made = pyramid(1, 2, 3).double()
    inputs = [each.double().requires_grad_() for each in frames([5, 1, 3])]
    assert torch.autograd.gradcheck(lambda *leaves: torch.cat(states(made, list(leaves))), inputs)


@pytest.mark.parametrize("place", ["input_dropout", "dropout", "output_dropout"])
def test_each_dropout_acts_in_its_place_and_in_training_only(place: str) -> None:
    inputs, plain = frames([60, 50]), pyramid(1, 2)
    dropping = pyramid(1, 2, dropout=0.5) if place == "dropout" else pyramid(1, 2, dropouts={place: 0.5})
    found, kept = torch.cat(states(dropping, inputs)), torch.cat(states(plain, inputs))
    assert not torch.allclose(found, kept)
    zeros = float((found == 0).float().mean())
    assert zeros == pytest.approx(0.5 if place == "output_dropout" else 0.0, abs=0.1)
    assert torch.equal(torch.cat(states(dropping.eval(), inputs)), kept)


def test_locked_dropout_keeps_one_mask_per_sequence() -> None:
    torch.manual_seed(1)  # once in a while a mask of few features drops all of them
    made = pyramid(1, locked=True, dropouts={"output_dropout": 0.5})
    for one in states(made, frames([9, 7])):
        silent = (one == 0).float().mean(0)
        assert set(silent.tolist()) == {0.0, 1.0}


def test_bf16_differs_by_its_rounding_only() -> None:
    made, batch = pyramid(1, 2), Sequences.from_list(frames(LENGTHS))
    with torch.autocast("cpu", torch.bfloat16):
        found = made(batch)[0].data
    assert torch.allclose(found.float(), made(batch)[0].data, atol=0.05)
