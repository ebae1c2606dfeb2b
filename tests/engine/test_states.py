"""The summary of each sequence: the state after its last step, in every direction that was read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.builtin.core.encoders.pyramid import Pyramid
from seqlab.builtin.core.encoders.recurrent import RecurrentEncoder
from seqlab.builtin.core.encoders.rowwise import RowEncoder
from seqlab.engine import EncoderChain, RecurrentSpec, SequenceModel, Sequences
from seqlab.engine.recurrent import CellKind
from seqlab.engine.seeding import seeded
from seqlab.errors import ContractError

LENGTHS = [4, 1, 7, 0, 3]
SIZE = 3


def batch(lengths: list[int] = LENGTHS, size: int = SIZE) -> Sequences:
    generator = torch.Generator().manual_seed(1)
    return Sequences.from_flat(
        torch.randn(sum(lengths), size, generator=generator, dtype=torch.float64), lengths
    )


def recurrent(
    cell: CellKind = "lstm", *, bidirectional: bool = False, input_size: int = SIZE
) -> RecurrentEncoder:
    with seeded(2):
        spec = RecurrentSpec(
            cell=cell, input_size=input_size, hidden_size=4, bidirectional=bidirectional, num_layers=2
        )
        return RecurrentEncoder(spec, input_dropout=0.0, output_dropout=0.0).double()


def encode(encoder: nn.Module, inputs: Sequences) -> tuple[Any, Any]:
    return SequenceModel([nn.Identity()], encoder, {}).eval().encode([inputs])


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_read_forwards_it_is_the_last_state_that_the_stack_itself_gives(cell: CellKind) -> None:
    states, carried = encode(recurrent(cell), batch())
    there = [number for number, length in enumerate(LENGTHS) if length]
    tops = [part for part in carried if torch.allclose(part[there, -1], states.final[there])]
    assert tops, "the carried state of the last layer"
    for number, rows in enumerate(states.to_list()):
        expected = rows[-1] if len(rows) else torch.zeros(4, dtype=torch.float64)
        assert torch.equal(states.final[number], expected)


def test_read_both_ways_it_is_the_last_of_one_and_the_first_of_the_other() -> None:
    states, _ = encode(recurrent(bidirectional=True), batch())
    for number, rows in enumerate(states.to_list()):
        if len(rows):
            assert torch.equal(states.final[number], torch.cat([rows[-1, :4], rows[0, 4:]]))
        else:
            assert not states.final[number].any()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_that_of_a_pyramid_is_of_what_its_last_layer_leaves(*, bidirectional: bool) -> None:
    with seeded(2):
        spec = RecurrentSpec(cell="gru", input_size=SIZE, hidden_size=4, bidirectional=bidirectional)
        encoder = Pyramid(spec, [1, 2]).double()
    states, _ = encode(encoder, batch())
    assert states.lengths.tolist() == [2, 1, 4, 0, 2]
    for number, rows in enumerate(states.to_list()):
        if len(rows):
            backwards = rows[0, 4:] if bidirectional else rows[-1, 4:]
            assert torch.equal(states.final[number], torch.cat([rows[-1, :4], backwards]))
        else:
            assert not states.final[number].any()


def test_a_chain_gives_that_of_its_last_and_row_by_row_what_becomes_of_the_one_before() -> None:
    class Twice(nn.Module):
        output_size = 8

        def forward(self, rows: Sequences) -> Sequences:
            return rows.with_data(rows.data * 2)

    first, last = recurrent(bidirectional=True), recurrent(bidirectional=True, input_size=8)
    both, _ = encode(EncoderChain([first, last]), batch())
    between, _ = encode(first, batch())
    alone, _ = encode(last, between)
    assert torch.allclose(both.final, alone.final)
    mapped, _ = encode(EncoderChain([first, RowEncoder(Twice(), 8)]), batch())
    assert torch.equal(mapped.final, between.final * 2), "not the last row, which has read nothing backwards"


def test_batch_mates_change_nothing_and_an_empty_batch_has_none() -> None:
    encoder = recurrent(bidirectional=True)
    together, _ = encode(encoder, batch())
    for number, rows in enumerate(batch().to_list()):
        alone, _ = encode(encoder, Sequences.from_list([rows]))
        assert torch.allclose(alone.final[0], together.final[number])
    none, _ = encode(encoder, batch([]))
    assert none.final.shape == (0, 8)


def test_gradients_go_through_it() -> None:
    encoder = recurrent(bidirectional=True)
    states, _ = encode(encoder, batch())
    states.final.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())


class Summing(nn.Module):
    """An encoder whose summary is whatever it is told to be; it counts how often it is asked."""

    output_size = SIZE
    carries_state = True

    def __init__(self, summary: Any) -> None:
        super().__init__()
        self.summary, self.asked = summary, 0

    def forward(self, inputs: Sequences, state: Any = None) -> tuple[Sequences, Any]:
        return inputs, ()

    def final(self, outputs: Sequences, before: Any) -> Any:
        self.asked += 1
        return self.summary(before())


def test_it_is_worked_out_once_and_only_when_it_is_asked_for() -> None:
    encoder = Summing(lambda before: before + 1)
    states, _ = encode(encoder, batch())
    assert encoder.asked == 0
    assert torch.equal(states.final, batch().final + 1)
    assert torch.equal(states.final, batch().final + 1)
    assert encoder.asked == 1


def failing(_before: Tensor) -> Tensor:
    raise ZeroDivisionError("boom")


@pytest.mark.parametrize(
    ("summary", "error", "reason"),
    [
        (failing, ZeroDivisionError, "boom"),
        (lambda before: before.tolist(), ContractError, "returned list of 5 where a tensor is expected"),
        (
            lambda before: before[1:],
            ContractError,
            r"shape \(4, 3\) where floats of shape \(5, 3\) are expected",
        ),
        (lambda before: before.long(), ContractError, r"returned a tensor of torch.int64"),
    ],
)
@pytest.mark.parametrize(("chained", "path"), [(False, "encoder"), (True, "encoder.encoders.0")])
def test_a_summary_that_fails_is_told_of_its_own_encoder(
    summary: Any, error: type[Exception], reason: str, *, chained: bool, path: str
) -> None:
    encoder: nn.Module = Summing(summary)
    if chained:
        encoder = EncoderChain([encoder, RowEncoder(Doubling(), SIZE)])
    states, _ = encode(encoder, batch())
    with pytest.raises(error, match=reason) as caught:
        _ = states.final
    assert caught.value.__notes__[0] == f"{path}: final"


class Doubling(nn.Module):
    def forward(self, rows: Sequences) -> Sequences:
        return rows.with_data(rows.data * 2)
