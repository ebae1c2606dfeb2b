from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from toy_models import dataset, settings, trainer

from seqlab.engine import EncoderChain, RecurrentSpec, RecurrentStack, SequenceModel, Sequences, State
from seqlab.engine.recurrent import CellKind
from seqlab.engine.seeding import seeded

LENGTHS = [9, 4, 12, 0, 7, 1]


class Recurrent(nn.Module):
    """A recurrent stack with the lengths of an encoder."""

    def __init__(self, cell: CellKind, sizes: tuple[int, int], *, bidirectional: bool = False) -> None:
        super().__init__()
        spec = RecurrentSpec(
            cell=cell, input_size=sizes[0], hidden_size=sizes[1], bidirectional=bidirectional, num_layers=2
        )
        self.stack = RecurrentStack(spec)
        self.output_size = spec.output_size
        self.carries_state = self.stack.carries_state
        self.state_parts = self.stack.state_parts
        self.passes = 0

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        self.passes += 1
        states: tuple[Sequences, State] = self.stack(inputs, state)
        return states

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths


class Every(nn.Module):
    """Each `step`-th row, the first one first; says that it carries a state only where it takes them all."""

    def __init__(self, step: int, size: int, nothing: State | None = None) -> None:
        super().__init__()
        self.step = step
        self.output_size = size
        self.carries_state = step == 1
        self.nothing = nothing
        self.state_parts = 0

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        return Sequences.from_list([each[:: self.step] for each in inputs.to_list()]), self.nothing

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + self.step - 1) // self.step


class Tail(nn.Module):
    """All rows but the first."""

    output_size = 4
    carries_state = False

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, None]:
        return Sequences.from_list([each[1:] for each in inputs.to_list()]), None

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths - 1).clamp(min=0)


def chain(*encoders: nn.Module) -> EncoderChain:
    return EncoderChain(encoders).double()


def batch(lengths: list[int] = LENGTHS) -> Sequences:
    generator = torch.Generator().manual_seed(1)
    flat = torch.randn(sum(lengths), 3, generator=generator, dtype=torch.float64)
    return Sequences.from_flat(flat, lengths)


@pytest.fixture
def forwards() -> EncoderChain:
    """Carries a state with parts of unequal size and number, and one encoder without any."""
    with seeded(2):
        return chain(Recurrent("gru", (3, 4)), Every(1, 4), Recurrent("lstm", (4, 5)), Every(1, 5, ()))


def test_each_encoder_reads_the_one_before() -> None:
    first, second = Recurrent("gru", (3, 4)), Recurrent("lstm", (4, 5), bidirectional=True)
    both = chain(first, second)
    expected = second(first(batch())[0])[0]
    found = both(batch())[0]
    assert both.output_size == second.output_size == 10
    assert torch.equal(found.data, expected.data)
    assert torch.equal(found.lengths, expected.lengths)


def test_lengths_compose_in_the_order_of_the_chain() -> None:
    lengths = torch.arange(30)
    uneven = chain(Every(2, 3), Recurrent("gru", (3, 4)), Tail(), Every(3, 4))
    expected = [math.ceil(max(math.ceil(length / 2) - 1, 0) / 3) for length in lengths.tolist()]
    assert uneven.output_lengths(lengths).tolist() == expected
    assert uneven(batch(lengths.tolist()))[0].lengths.tolist() == expected


@pytest.mark.parametrize("steps", [1, 5, 12])
def test_chunks_with_the_state_carried_are_the_whole(forwards: EncoderChain, steps: int) -> None:
    assert forwards.carries_state
    whole, last = forwards(batch())
    state: State | None = None
    pieces: list[list[Tensor]] = [[] for _ in LENGTHS]
    for chunk in batch().chunks(steps):
        states, state = forwards(chunk, state)
        for parts, piece in zip(pieces, states.to_list(), strict=True):
            parts.append(piece)
    for parts, one in zip(pieces, whole.to_list(), strict=True):
        assert torch.allclose(torch.cat(parts), one, atol=1e-12)
    assert state is not None
    assert last is not None
    for found, expected in zip(state, last, strict=True):
        assert torch.allclose(found, expected, atol=1e-12)


def test_a_state_has_one_row_per_sequence_in_each_part(forwards: EncoderChain) -> None:
    state = forwards(batch())[1]
    assert state is not None
    assert [tuple(part.shape) for part in state] == [(6, 2, 4), (6, 2, 5), (6, 2, 5)]


def test_a_state_continues_in_a_chain_that_has_seen_none(forwards: EncoderChain) -> None:
    fresh = chain(Recurrent("gru", (3, 4)), Every(1, 4), Recurrent("lstm", (4, 5)), Every(1, 5, ()))
    fresh.load_state_dict(forwards.state_dict())
    state = forwards(batch())[1]
    assert torch.equal(fresh(batch(), state)[0].data, forwards(batch(), state)[0].data)
    first = fresh.encoders[0]
    assert isinstance(first, Recurrent)
    assert first.passes == 1, "its parts are counted without a pass"


def test_a_chain_that_cannot_part_a_state_says_so() -> None:
    made, fresh = (chain(Recurrent("gru", (3, 4)), Recurrent("lstm", (4, 5))) for _ in range(2))
    second = fresh.encoders[1]
    assert isinstance(second, Recurrent)
    state = made(batch())[1]
    with pytest.raises(ValueError, match=r"^the chain's state has 3 parts, got 1$"):
        made(batch(), state[:1])
    del second.state_parts
    fresh = chain(*fresh.encoders)
    with pytest.raises(ValueError, match=r"^encoder 1 of the chain does not say how many parts"):
        fresh(batch(), state)
    fresh(batch())
    assert fresh(batch(), state)[0].data.isfinite().all()


@pytest.mark.parametrize(
    "odd", [Every(2, 4), Recurrent("rnn_tanh", (4, 2), bidirectional=True)], ids=["shortens", "both ways"]
)
def test_a_chain_carries_nothing_where_one_encoder_cannot(odd: nn.Module) -> None:
    mixed = chain(Recurrent("gru", (3, 4)), odd)
    assert not mixed.carries_state
    assert mixed(batch())[1] is None
    with pytest.raises(ValueError, match="carries no state cannot take one"):
        mixed(batch(), ())


def test_gradients_reach_every_part_and_the_input() -> None:
    mixed = chain(Recurrent("gru", (3, 4)), Every(2, 4), Recurrent("lstm", (4, 5), bidirectional=True))
    inputs = batch()
    leaf = inputs.data.clone().requires_grad_()
    mixed(inputs.with_data(leaf))[0].data.square().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().sum() > 0
    for name, parameter in mixed.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_chain_trains_with_truncated_bptt_only_where_it_carries_a_state(forwards: EncoderChain) -> None:
    data = dataset([9, 4, 7], heads=())
    chunked = settings(bptt=3)
    trainer(SequenceModel([nn.Identity()], forwards, {}), data, chunked)
    backwards = chain(Recurrent("gru", (3, 4)), Recurrent("gru", (4, 4), bidirectional=True))
    with pytest.raises(ValueError, match=r"train\.bptt needs encoders that carry a state"):
        trainer(SequenceModel([nn.Identity()], backwards, {}), data, chunked)


def test_a_chain_needs_an_encoder() -> None:
    with pytest.raises(ValueError, match="at least"):
        EncoderChain([])
