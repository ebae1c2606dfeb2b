from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seqlab.api import Sequences
from seqlab.builtin.core.encoders.conv_subsample import ConvSpec, ConvSubsample
from seqlab.engine.seeding import seeded

BANDS = 5
LENGTHS = [9, 1, 4, 12, 0, 7, 2, 3]


def encoder(num_layers: int = 2, **changes: Any) -> ConvSubsample:
    sizes = {"input_size": BANDS, "hidden_size": 6, "channels": 3, "kernel_size": 3, "activation": "relu"}
    with seeded(1):
        return ConvSubsample(ConvSpec(**sizes | changes, num_layers=num_layers))  # type: ignore[arg-type]


def frames(lengths: list[int], bands: int = BANDS) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, bands, generator=generator) for length in lengths]


def states(made: ConvSubsample, inputs: list[Tensor]) -> list[Tensor]:
    return made(Sequences.from_list(inputs))[0].to_list()


def by_torch(made: ConvSubsample, one: Tensor) -> Tensor:
    """The same of one sequence, (time, bands): convolutions on zeros around it, without any batch."""
    maps = one[None]
    for layer in made.convolutions:
        weight, bias, half = layer.weight, layer.bias, made.convolutions[0].kernel_size[0] // 2
        assert isinstance(weight, Tensor)
        around = functional.pad(maps, (half, half, half, half))
        maps = made.activation(functional.conv2d(around, weight, bias, stride=2))  # type: ignore[arg-type]
    rows = maps.permute(1, 2, 0).flatten(1)
    projected: Tensor = made.project(rows)
    return projected


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_layers": 1},
        {"kernel_size": 7},
        {"kernel_size": 5, "activation": "tanh"},
        {"activation": "gelu", "channels": 1},
        {"input_size": 1},
        {"input_size": 8},
    ],
)
def test_states_are_those_of_each_sequence_alone_among_zeros(changes: dict[str, Any]) -> None:
    made = encoder(**changes)
    inputs = frames(LENGTHS, changes.get("input_size", BANDS))
    for found, one in zip(states(made, inputs), inputs, strict=True):
        if len(one):
            assert torch.allclose(found, by_torch(made, one), atol=1e-5)
        else:
            assert found.shape == (0, 6)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_lengths_are_rounded_up_exactly(num_layers: int) -> None:
    made, factor = encoder(num_layers), 2**num_layers
    lengths = list(range(40))
    expected = [math.ceil(length / factor) for length in lengths]
    assert made.output_lengths(torch.tensor(lengths)).tolist() == expected
    assert [len(each) for each in states(made, frames(lengths))] == expected
    huge = torch.tensor([2**53 + 1])
    assert made.output_lengths(huge).tolist() == [-(-(2**53 + 1) // factor)]


def test_batch_mates_of_any_size_and_length_change_nothing() -> None:
    made = encoder(kernel_size=7)
    inputs = frames([5, 6, 7, 8])
    expected = states(made, inputs)
    loud = [torch.full((length, BANDS), 1e4) for length in (40, 5, 9)]
    for found, one in zip(states(made, [*loud, *inputs])[3:], expected, strict=True):
        assert torch.allclose(found, one, atol=1e-5)


@pytest.mark.parametrize("length", range(1, 10))
def test_every_row_has_a_part_in_the_states(length: int) -> None:
    row = frames([length])[0].requires_grad_()
    torch.cat(states(encoder(activation="tanh"), [row, *frames([12])])[:1]).square().sum().backward()  # type: ignore[no-untyped-call]
    assert row.grad is not None
    assert (row.grad.abs().sum(1) > 0).all()


def test_gradients_are_those_of_the_formula() -> None:
    made = encoder(activation="tanh").double()
    inputs = [each.double().requires_grad_() for each in frames([5, 1, 3])]

    def rows(*leaves: Tensor) -> Tensor:
        return torch.cat(states(made, list(leaves)))

    assert torch.autograd.gradcheck(rows, inputs)
    weights = list(made.parameters())
    found = torch.autograd.grad(rows(*inputs).square().sum(), weights)
    alone = torch.cat([by_torch(made, one) for one in inputs]).square().sum()
    for mine, torchs in zip(found, torch.autograd.grad(alone, weights), strict=True):
        assert torch.allclose(mine, torchs)


def test_a_batch_without_rows_has_no_states() -> None:
    found = encoder()(Sequences.from_list(frames([0, 0])))[0]
    assert found.data.shape == (0, 6)
    assert found.lengths.tolist() == [0, 0]


def test_dropout_acts_on_the_states_in_training_only() -> None:
    made = encoder()
    batch = Sequences.from_list(frames([200, 150]))
    kept = made(batch)[0].data
    dropping = ConvSubsample(
        ConvSpec(input_size=BANDS, hidden_size=6, num_layers=2, channels=3, kernel_size=3, activation="relu"),
        dropout=0.5,
    )
    dropping.load_state_dict(made.state_dict())
    with seeded(1):
        found = dropping(batch)[0].data
    assert float((found == 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.allclose(found[found != 0], 2 * kept[found != 0])
    assert torch.equal(dropping.eval()(batch)[0].data, kept)


def test_bf16_differs_by_its_rounding_only() -> None:
    made = encoder()
    batch = Sequences.from_list(frames(LENGTHS))
    with torch.autocast("cpu", torch.bfloat16):
        found = made(batch)[0].data
    assert torch.allclose(found.float(), made(batch)[0].data, atol=0.05)
