from __future__ import annotations

import pytest
import torch
from torch import nn

from seqlab.api import Sequences
from seqlab.builtin.core.encoders.rowwise import Projection, RowEncoder
from seqlab.engine.norm import SequenceBatchNorm
from seqlab.engine.seeding import seeded


def batch(*lengths: int) -> Sequences:
    generator = torch.Generator().manual_seed(2)
    return Sequences.from_flat(torch.randn(sum(lengths), 3, generator=generator), list(lengths))


def test_lengths_stay_and_there_is_nothing_to_carry() -> None:
    made = RowEncoder(Projection(3, 4, None, 0.0), 4)
    states, state = made(batch(3, 0, 2), ())
    assert states.lengths.tolist() == made.output_lengths(torch.tensor([3, 0, 2])).tolist() == [3, 0, 2]
    assert state == ()
    assert made.carries_state


@pytest.mark.parametrize(
    ("activation", "module"),
    [
        (None, nn.Identity()),
        ("relu", nn.ReLU()),
        ("gelu", nn.GELU()),
        ("silu", nn.SiLU()),
        ("tanh", nn.Tanh()),
    ],
)
def test_a_projection_is_linear_then_its_activation(activation: str | None, module: nn.Module) -> None:
    made = Projection(3, 4, activation, 0.0)
    rows = batch(3, 2)
    assert torch.equal(made(rows).data, module(made.linear(rows.data)))


def test_dropout_stands_after_the_activation() -> None:
    made = Projection(3, 4, "tanh", 0.5)
    rows = batch(300, 200)
    with seeded(1):
        found = made(rows).data
    kept = made.eval()(rows).data
    assert float((found == 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.allclose(found[found != 0], 2 * kept[found != 0])


def test_after_training_batch_norm_answers_alone_as_in_any_batch() -> None:
    made = RowEncoder(SequenceBatchNorm(3), 3)
    for length in range(2, 9):
        made(batch(length, length + 3))
    made.eval()
    whole = made(batch(5, 1, 4))[0].to_list()
    for found, one in zip(whole, batch(5, 1, 4).to_list(), strict=True):
        assert torch.equal(made(Sequences.from_list([one]))[0].data, found)
