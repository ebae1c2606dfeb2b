"""Stacks of layers: equal to torch's modules on each sequence alone, whatever else is in the batch."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import (
    CELLS,
    LENGTHS,
    Case,
    alone,
    assert_same,
    assert_same_in_single_precision,
    batch_of,
    by_stack,
    cases,
    sequences,
    stack,
    stack_of,
    torchs_names,
)
from torch import Tensor

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences
from seqlab.engine.recurrent import bptt
from seqlab.engine.seeding import seeded

EXACT = 1e-12

KERNELS = ("packed", "torch", "auto")  # which is the native one in single precision, where it was compiled
EVERY_CELL = pytest.mark.parametrize("cell", CELLS)


@settings(max_examples=80, deadline=None)
@given(case=cases(), rows=st.sampled_from([1, 2, 3, 7, 512]))
def test_kernels_equal_torch_on_each_sequence_alone(case: Case, rows: int) -> None:
    expected = alone(stack_of(case.spec, seed=case.seed), case)
    for kernel in KERNELS:
        made = stack_of(replace(case.spec, kernel=kernel), seed=case.seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bptt, "BLOCK_ROWS", rows)
            assert_same(by_stack(made, case), expected, 1e-10)


# Torch says once per process that oneDNN has no projections.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@settings(max_examples=40, deadline=None)
@given(case=cases(hidden=(8, 24), longest=30))
def test_kernels_equal_torch_in_single_precision(case: Case) -> None:
    assert_same_in_single_precision(case, *KERNELS)


@EVERY_CELL
@pytest.mark.parametrize("bidirectional", [False, True])
def test_batches_of_several_blocks_equal_torch(cell: CellKind, *, bidirectional: bool) -> None:
    lengths = tuple(length for length in range(1, 70, 2) for _ in range(3))
    spec = RecurrentSpec(cell=cell, input_size=3, hidden_size=4, bidirectional=bidirectional)
    case = Case(spec=replace(spec, kernel="packed"), lengths=lengths, given=True)
    assert sum(lengths) > 3 * bptt.BLOCK_ROWS
    assert_same(by_stack(stack_of(case.spec), case), alone(stack_of(case.spec), case), 1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
@EVERY_CELL
def test_batch_mates_and_their_order_never_change_an_answer(cell: CellKind, kernel: str) -> None:
    made = stack(cell, num_layers=2, bidirectional=True, initial_state="learned", kernel=kernel)
    whole = sequences()
    output, final = made(whole)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    permuted, permuted_final = made(whole.select(order))
    for place, number in enumerate(order.tolist()):
        single, single_final = made(whole.select(torch.tensor([number])))
        for each in (single.data, permuted.to_list()[place]):
            torch.testing.assert_close(each, output.to_list()[number], rtol=EXACT, atol=EXACT)
        for part, one, other in zip(final, single_final, permuted_final, strict=True):
            torch.testing.assert_close(one[0], part[number], rtol=EXACT, atol=EXACT)
            torch.testing.assert_close(other[place], part[number], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("steps", [1, 3, 7])
@EVERY_CELL
def test_chunks_that_carry_the_state_equal_the_whole(cell: CellKind, steps: int, kernel: str) -> None:
    made = stack(cell, num_layers=2, initial_state="learned", kernel=kernel)
    batch = batch_of(Case(spec=made.spec))
    leaves = [*batch.inputs, *made.parameters()]
    whole = Sequences.from_list(batch.inputs)
    output, final = made(whole)
    expected = torch.autograd.grad(batch.loss(output.to_list(), final), leaves)
    state, pieces = None, []
    for chunk in Sequences.from_list(batch.inputs).chunks(steps):
        piece, state = made(chunk, state)
        pieces.append(piece.data)
    assert state is not None
    joined = whole.with_data(torch.cat(pieces))
    grads = torch.autograd.grad(batch.loss(joined.to_list(), state), leaves)
    for found, wanted in zip([joined.data, *state, *grads], [output.data, *final, *expected], strict=True):
        torch.testing.assert_close(found, wanted, rtol=EXACT, atol=EXACT)


@settings(max_examples=40, deadline=None)
@given(case=cases(), rows=st.sampled_from([1, 3, 512]))
def test_the_state_without_outputs_is_the_same_and_has_the_same_gradients(case: Case, rows: int) -> None:
    for kernel in KERNELS:
        made = stack_of(replace(case.spec, kernel=kernel), seed=case.seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bptt, "BLOCK_ROWS", rows)
            with torch.inference_mode():
                inferred = made.final_state(sequences(case))
                torch.testing.assert_close(inferred, made(sequences(case))[1], rtol=EXACT, atol=EXACT)
            batches = [batch_of(case), batch_of(case)]
            inputs = [Sequences.from_list(batch.inputs) for batch in batches]
            finals = made.final_state(inputs[0], batches[0].state), made(inputs[1], batches[1].state)[1]
            torch.testing.assert_close(*finals, rtol=EXACT, atol=EXACT)
            for batch, final in zip(batches, finals, strict=True):
                batch.loss([], final).backward()
        for one, other in zip(*(batch.inputs for batch in batches), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("bidirectional", [False, True])
@EVERY_CELL
def test_an_empty_sequence_keeps_the_state_it_came_with(
    cell: CellKind, kernel: str, *, bidirectional: bool
) -> None:
    made = stack(cell, num_layers=2, bidirectional=bidirectional, kernel=kernel)
    batch = batch_of(Case(spec=made.spec, given=True))
    _, final = made(Sequences.from_list(batch.inputs), batch.state)
    assert batch.state is not None
    for part, start in zip(final, batch.state, strict=True):
        assert torch.equal(part[LENGTHS.index(0)], start[LENGTHS.index(0)])
        assert not (part == start).all(dim=2)[torch.tensor(LENGTHS) > 0].any()


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
@pytest.mark.parametrize("bidirectional", [False, True])
@EVERY_CELL
def test_batches_without_rows_keep_their_state(
    cell: CellKind, lengths: list[int], *, bidirectional: bool
) -> None:
    made = stack(cell, num_layers=2, bidirectional=bidirectional, initial_state="learned")
    empty = Sequences.from_flat(torch.empty(0, 3, dtype=torch.float64), lengths)
    output, final = made(empty)
    assert output.data.shape == (0, made.output_size)
    for part, start in zip(final, made.initial, strict=True):
        assert torch.equal(part, start.expand(len(lengths), -1, -1))


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_acts_between_layers_in_training_only(*, locked: bool) -> None:
    plain = stack("gru", num_layers=2)
    made = stack("gru", num_layers=2, dropout=0.5, locked=locked)
    batch = sequences()
    assert torch.equal(made.eval()(batch)[0].data, plain(batch)[0].data)
    with seeded(1):
        dropped, final = made.train()(batch)
    assert not torch.allclose(dropped.data, plain(batch)[0].data)
    first, second = final[0].unbind(1)
    assert torch.equal(first, plain(batch)[1][0][:, 0]), "the first layer has nothing before it to drop"
    assert not torch.allclose(second, plain(batch)[1][0][:, 1])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "proj_size": 2}], ids=str)
def test_a_tap_sees_the_whole_gradient_of_h_in_each_layer(options: dict[str, Any], kernel: str) -> None:
    made = stack("lstm", num_layers=2, kernel=kernel, **options)
    case = Case(spec=made.spec, given=True)
    plain = by_stack(made, case)
    seen: dict[int, Sequences] = {}
    made.tap = seen.__setitem__
    batch = batch_of(case)
    inputs = Sequences.from_list(batch.inputs)
    output, final = made(inputs, batch.state)
    assert not seen, "there is nothing to see before the backward pass"
    batch.loss(output.to_list(), final).backward()
    assert list(seen) == [1, 0], "from the last layer to the first"
    assert all(each.layout is inputs.layout for each in seen.values())
    assert {each.data.shape[1] for each in seen.values()} == {made.output_size}
    size = made.spec.state_sizes[0]
    for number, length in enumerate(LENGTHS):
        if length:
            ends = zip((-1, 0), range(made.spec.directions), strict=False)
            for step, direction in ends:
                mine = slice(direction * size, (direction + 1) * size)
                from_final = batch.d_final[0][number, made.spec.directions + direction]
                expected = batch.d_outputs[number][step, mine] + from_final
                found = seen[1].to_list()[number][step, mine]
                torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)
    assert_same(by_stack(made, case), plain, EXACT)
    made.tap = None
    seen.clear()
    by_stack(made, case)
    assert not seen


@EVERY_CELL
def test_no_gradient_shares_its_memory_with_another(cell: CellKind) -> None:
    projection = {"proj_size": 2} if cell == "lstm" else {}
    made = stack(cell, num_layers=2, bidirectional=True, initial_state="learned", **projection)
    output, final = made(sequences())
    (output.data.sum() + sum(part.sum() for part in final)).backward()
    grads = {name: each.grad for name, each in torchs_names(made).items()}
    for changed, grad in grads.items():
        assert grad is not None, changed
        before = {name: each.clone() for name, each in grads.items() if each is not None}
        grad.add_(1)
        differs = {name for name, each in before.items() if not torch.equal(each, grads[name])}
        assert differs == {changed}


@EVERY_CELL
def test_what_needs_no_gradient_gets_none_and_changes_no_other(cell: CellKind) -> None:
    made = stack(cell, bidirectional=True, initial_state="learned")
    names = torchs_names(made)
    output, final = made(sequences())
    torch.stack([output.data.sum(), *(part.sum() for part in final)]).sum().backward()
    wanted = {name: each.grad for name, each in names.items()}
    for frozen in names:
        made.zero_grad()
        names[frozen].requires_grad_(requires_grad=False)
        output, final = made(sequences())
        torch.stack([output.data.sum(), *(part.sum() for part in final)]).sum().backward()
        names[frozen].requires_grad_()
        for name, each in names.items():
            assert (each.grad is None) == (name == frozen)
            assert each.grad is None or torch.equal(each.grad, wanted[name])


def test_a_batch_seen_in_inference_mode_can_be_trained_on() -> None:
    made, batch = stack(bidirectional=True), sequences()
    with torch.inference_mode():
        inferred = made(batch)[0].data.clone()
    output = made(batch)[0].data
    output.sum().backward()
    assert torch.equal(output.detach(), inferred)
    assert all(each.grad is not None for each in made.parameters())


def test_threads_share_a_stack() -> None:
    made, batch = stack(num_layers=2, bidirectional=True), sequences()
    parameters = list(made.parameters())

    def step() -> list[Tensor]:
        output = made(batch)[0].data
        return [output, *torch.autograd.grad(output.sum(), parameters)]

    expected, found = step(), []
    threads = [threading.Thread(target=lambda: found.extend(step() for _ in range(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(torch.equal(*pair) for each in found for pair in zip(each, expected, strict=True))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_may_be_changed_in_place_where_nothing_is_lost(*, bidirectional: bool) -> None:
    spec = RecurrentSpec(
        cell="gru", input_size=3, hidden_size=4, bidirectional=bidirectional, kernel="packed"
    )
    rows = torch.randn(5, 3, requires_grad=True)
    output, _ = RecurrentStack(spec)(Sequences.from_flat(rows, [3, 2]))
    output.data.mul_(2)
    if bidirectional:
        output.data.sum().backward()
        assert rows.grad is not None
        return
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.data.sum().backward()  # with one direction the output is what the backward pass reads


def test_wrong_sizes_are_refused() -> None:
    made = RecurrentStack(RecurrentSpec(cell="lstm", input_size=3, hidden_size=4, num_layers=2))
    with pytest.raises(ValueError, match=re.escape("rows must have 3 features, got data of shape (5, 2)")):
        made(Sequences.from_flat(torch.zeros(5, 2), [5]))
    state = (torch.zeros(2, 2, 4), torch.zeros(2, 2, 4))
    message = "the state must have parts of shape [(1, 2, 4), (1, 2, 4)], got [(2, 2, 4), (2, 2, 4)]"
    with pytest.raises(ValueError, match=re.escape(message)):
        made(Sequences.from_flat(torch.zeros(5, 3), [5]), state)
    with pytest.raises(ValueError, match=re.escape("got [(1, 2, 4)]")):
        made(Sequences.from_flat(torch.zeros(5, 3), [5]), (torch.zeros(1, 2, 4),))
