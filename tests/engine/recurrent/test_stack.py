from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences, State
from seqlab.engine.seeding import seeded

INPUT, HIDDEN = 3, 4
LENGTHS = (5, 0, 2, 7, 2, 1)
CELLS: tuple[CellKind, ...] = ("rnn_tanh", "rnn_relu", "lstm", "gru")
EVERY = pytest.mark.parametrize(
    ("cell", "bidirectional", "num_layers", "initial_state"),
    list(itertools.product(CELLS, (False, True), (1, 2), ("zeros", "learned"))),
)
CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


def stack(cell: CellKind, **spec: Any) -> RecurrentStack:
    with seeded(1):
        made = RecurrentStack(RecurrentSpec(cell=cell, input_size=INPUT, hidden_size=HIDDEN, **spec)).double()
        for initial in made.initial:
            nn.init.normal_(initial)
        return made


def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(length, INPUT, generator=generator, dtype=torch.float64) for length in LENGTHS]


def state_of(made: RecurrentStack) -> State:
    generator = torch.Generator().manual_seed(3)
    shape = (len(LENGTHS), made.spec.num_layers * made.spec.directions, HIDDEN)
    return tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(made.spec.state_tensors)
    )


def torchs_own(made: RecurrentStack) -> nn.RNNBase:
    """Torch's module of as many layers, with the weights of the stack."""
    spec = made.spec
    size = (spec.input_size, spec.hidden_size, spec.num_layers)
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {} if spec.cell in kinds else {"nonlinearity": spec.cell.removeprefix("rnn_")}
    rnn: nn.RNNBase = kinds.get(spec.cell, nn.RNN)(*size, bidirectional=spec.bidirectional, **options)
    rnn = rnn.double()
    for number, layer in enumerate(made.layers):
        for name, parameter in layer.named_parameters():
            rnn.get_parameter(name.replace("_l0", f"_l{number}")).data.copy_(parameter)
    return rnn


def run_alone(rnn: nn.RNNBase, each: Tensor, state: State) -> tuple[Tensor, State]:
    """One sequence without padding or packing; `state` and the result have shape (layers, hidden)."""
    output, final = rnn(each, state if isinstance(rnn, nn.LSTM) else state[0])
    return output, final if isinstance(final, tuple) else (final,)


@EVERY
def test_a_batch_equals_torch_on_each_sequence_alone(
    cell: CellKind, num_layers: int, initial_state: str, *, bidirectional: bool
) -> None:
    made = stack(cell, num_layers=num_layers, bidirectional=bidirectional, initial_state=initial_state)
    rnn = torchs_own(made)
    batch = [each.requires_grad_() for each in inputs()]
    alone = [each.detach().clone().requires_grad_() for each in batch]
    starts = (
        made.initial
        or [torch.zeros(rnn.num_layers * made.spec.directions, HIDDEN).double()] * made.spec.state_tensors
    )
    copies = [start.detach().clone().requires_grad_() for start in starts]
    output, final = made(Sequences.from_list(batch))
    loss, expected_loss = torch.zeros(()).double(), torch.zeros(()).double()
    for number, each in enumerate(alone):
        mine = tuple(part[number] for part in final)
        loss = loss + output.to_list()[number].square().sum() + sum(part.sin().sum() for part in mine)
        if not len(each):
            assert all(torch.equal(part, start) for part, start in zip(mine, starts, strict=True))
            expected_loss = expected_loss + sum(start.sin().sum() for start in copies)
            continue
        states, last = run_alone(rnn, each, tuple(copies))
        assert torch.allclose(output.to_list()[number], states, **CLOSE)
        assert all(torch.allclose(part, whole, **CLOSE) for part, whole in zip(mine, last, strict=True))
        expected_loss = expected_loss + states.square().sum() + sum(part.sin().sum() for part in last)
    torch.autograd.backward([loss, expected_loss])
    compare_gradients(made, rnn)
    for each, other in zip([*batch, *made.initial], [*alone, *copies[: len(made.initial)]], strict=True):
        if len(each):
            assert each.grad is not None
            assert other.grad is not None
            assert torch.allclose(each.grad, other.grad, **CLOSE)


def compare_gradients(made: RecurrentStack, rnn: nn.RNNBase) -> None:
    for number, layer in enumerate(made.layers):
        for name, parameter in layer.named_parameters():
            other = rnn.get_parameter(name.replace("_l0", f"_l{number}")).grad
            assert parameter.grad is not None
            assert other is not None
            assert torch.allclose(parameter.grad, other, **CLOSE), name


@EVERY
def test_a_given_state_is_continued_and_kept_by_empty_sequences(
    cell: CellKind, num_layers: int, initial_state: str, *, bidirectional: bool
) -> None:
    made = stack(cell, num_layers=num_layers, bidirectional=bidirectional, initial_state=initial_state)
    rnn, state = torchs_own(made), state_of(made)
    output, final = made(Sequences.from_list(inputs()), state)
    for number, each in enumerate(inputs()):
        mine = tuple(part[number] for part in state)
        states, last = run_alone(rnn, each, mine) if len(each) else (output.to_list()[number], mine)
        assert torch.allclose(output.to_list()[number], states, **CLOSE)
        assert all(
            torch.allclose(part[number], whole, **CLOSE) for part, whole in zip(final, last, strict=True)
        )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_chunks_that_carry_the_state_equal_the_whole(cell: CellKind, steps: int) -> None:
    made = stack(cell, num_layers=2, initial_state="learned")
    whole = Sequences.from_list(inputs())
    output, final = made(whole)
    state, pieces = None, []
    for chunk in whole.chunks(steps):
        piece, state = made(chunk, state)
        pieces.append(piece.data)
    assert state is not None
    assert torch.allclose(torch.cat(pieces), output.data, **CLOSE)
    assert all(torch.allclose(part, other, **CLOSE) for part, other in zip(state, final, strict=True))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_batches_without_rows_keep_their_state(
    cell: CellKind, lengths: list[int], *, bidirectional: bool
) -> None:
    made = stack(cell, num_layers=2, bidirectional=bidirectional, initial_state="learned")
    empty = Sequences.from_flat(torch.empty(0, INPUT, dtype=torch.float64), lengths)
    output, final = made(empty)
    assert output.data.shape == (0, made.output_size)
    for part, start in zip(final, made.initial, strict=True):
        assert torch.equal(part, start.expand(len(lengths), -1, -1))


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_acts_between_layers_in_training_only(*, locked: bool) -> None:
    plain = stack("gru", num_layers=2)
    made = stack("gru", num_layers=2, dropout=0.5, locked=locked)
    batch = Sequences.from_list(inputs())
    assert torch.equal(made.eval()(batch)[0].data, plain(batch)[0].data)
    with seeded(1):
        dropped, final = made.train()(batch)
    assert not torch.allclose(dropped.data, plain(batch)[0].data)
    first, second = final[0].unbind(1)
    assert torch.equal(first, plain(batch)[1][0][:, 0]), "the first layer has nothing before it to drop"
    assert not torch.allclose(second, plain(batch)[1][0][:, 1])


@pytest.mark.parametrize("cell", CELLS)
def test_it_runs_in_bf16_with_a_carried_state(cell: CellKind) -> None:
    made = stack(cell, num_layers=2).float()
    batch = Sequences.from_list([each.float() for each in inputs()])
    expected = made(batch)[0].data
    state, pieces = None, []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for chunk in batch.chunks(3):
            piece, state = made(chunk, state)
            pieces.append(piece.data.float())
    assert torch.allclose(torch.cat(pieces), expected, atol=0.05)
