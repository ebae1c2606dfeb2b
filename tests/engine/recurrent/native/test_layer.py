"""The native loops: equal to the reference; the same bits alone, in any batch, in chunks, by any threads."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import Case, assert_same_in_single_precision, cases, stack, stack_of
from torch import Tensor, nn

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences
from seqlab.engine.recurrent.kernels import choose_kernel, run_layer
from seqlab.engine.recurrent.native.library import library
from seqlab.engine.recurrent.native.weights import HELD
from seqlab.engine.seeding import seeded
from seqlab.engine.sequences import RepeatedRows

pytestmark = [
    pytest.mark.skipif(library() is None, reason="the native loops are not compiled here"),
    # Torch says once per process that oneDNN has no projections.
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

CELLS: tuple[CellKind, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")
EVERY_CELL = pytest.mark.parametrize("cell", CELLS)


def native(cell: CellKind, **options: Any) -> RecurrentStack:
    sizes: dict[str, Any] = {"input_size": 5, "hidden_size": 40, "kernel": "native"}
    return stack(cell, dtype=torch.float32, **(sizes | options))


def rows_of(lengths: list[int], size: int = 5, seed: int = 1) -> Sequences:
    with seeded(seed):
        return Sequences.from_flat(torch.randn(sum(lengths), size), lengths)


# --- right answers -----------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(case=cases(hidden=(1, 70), longest=20))
def test_outputs_states_and_gradients_are_those_of_the_reference(case: Case) -> None:
    assert_same_in_single_precision(case, "native")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(case=cases(hidden=(1, 321), longest=40))
def test_so_they_are_of_large_layers(case: Case) -> None:
    assert_same_in_single_precision(case, "native")


@EVERY_CELL
def test_recurrent_dropout_is_that_of_the_packed_kernel(cell: CellKind) -> None:
    answers = []
    for kernel in ("native", "packed"):
        made = native(cell, kernel=kernel, recurrent_dropout=0.4, bidirectional=True).train()
        inputs = rows_of([7, 0, 3, 5])
        leaf = inputs.data.requires_grad_()
        with seeded(3):
            output, final = made(inputs)
        loss = output.data.square().sum() + sum(part.sum() for part in final)
        grads = torch.autograd.grad(loss, [leaf, *made.parameters()])
        answers.append([output.data, *final, *grads])
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@EVERY_CELL
def test_a_table_of_repeated_rows_answers_as_its_rows(cell: CellKind) -> None:
    made = native(cell, bidirectional=True).eval()
    table = torch.randn(3, 5)
    index = rows_of([6, 4, 4]).with_data(torch.tensor([0, 2, 1, 1, 0, 2, 2, 2, 1, 0, 0, 1, 2, 0]))
    with torch.no_grad():
        repeated, final = made(RepeatedRows(table, index))
        plain, expected = made(index.with_data(table[index.data]))
    torch.testing.assert_close(repeated.data, plain.data)
    torch.testing.assert_close(final, expected)


@EVERY_CELL
def test_a_feature_without_bounds_spoils_no_more_than_by_the_packed_kernel(cell: CellKind) -> None:
    made, inputs = native(cell, hidden_size=21), rows_of([6, 3])
    inputs.data[4, 2] = float("inf")
    other = stack_of(replace(made.spec, kernel="packed"), dtype=torch.float32)
    other.load_state_dict(made.state_dict())
    with torch.no_grad():
        found, expected = (each.eval()(inputs)[0].data for each in (made, other))
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_a_graph_that_is_retained_gives_the_same_gradients_again() -> None:
    made, inputs = native("gru", bidirectional=True), rows_of([5, 2])
    output, _ = made(inputs)
    first, second = (
        torch.autograd.grad(output.data.square().sum(), list(made.parameters()), retain_graph=True)
        for _ in "ab"
    )
    assert all(map(torch.equal, first, second))


def test_what_a_backward_pass_needs_must_not_be_changed_in_place() -> None:
    made, inputs = native("gru", hidden_size=64), rows_of([5, 2])
    output, _ = made(inputs)
    output.data.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.data.sum().backward()


def test_second_derivatives_are_refused() -> None:
    made, inputs = native("lstm"), rows_of([5, 2])
    leaf = inputs.data.requires_grad_()
    output, _ = made(inputs)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(output.data.sum(), leaf, create_graph=True)


def test_a_pass_is_freed_with_its_output() -> None:
    made = native("lstm")
    output, _ = made(rows_of([5, 2]))
    kept = weakref.ref(output.data.grad_fn)  # type: ignore[arg-type]
    gc.disable()
    try:
        del output, _
        assert kept() is None, "no cycle keeps it"
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
@EVERY_CELL
def test_numbers_that_are_none_are_not_hidden(cell: CellKind, value: float) -> None:
    made, inputs = native(cell), rows_of([3, 2])
    inputs.data[0] = value
    with torch.no_grad():
        ours, _ = made(inputs)
        theirs, _ = stack_of(replace(made.spec, kernel="torch"), dtype=torch.float32)(inputs)
    assert torch.equal(ours.data.isfinite(), theirs.data.isfinite())


# --- equal bits --------------------------------------------------------------------------------------------


def predicted(layer: nn.RNNBase, inputs: Sequences, spec: RecurrentSpec) -> Any:
    """Run a layer from zeros in prediction."""
    state = tuple(torch.zeros(len(inputs), spec.directions, size) for size in spec.state_sizes)
    with torch.no_grad():
        return run_layer(layer, spec, inputs, state)


@settings(max_examples=60, deadline=None)
@given(
    cell=st.sampled_from(CELLS),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any),
    hidden=st.integers(1, 70),
    threads=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_a_sequence_has_the_same_bits_alone_as_in_any_batch(
    cell: CellKind, lengths: list[int], hidden: int, threads: int, seed: int
) -> None:
    spec = RecurrentSpec(cell=cell, input_size=4, hidden_size=hidden, bidirectional=True, kernel="native")
    (layer,) = stack_of(spec, seed=seed, dtype=torch.float32).layers
    with seeded(seed):
        parts = [torch.randn(length, 4) for length in lengths]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together, finals = predicted(layer, Sequences.from_list(parts), spec)  # type: ignore[arg-type]
    finally:
        torch.set_num_threads(before)
    outputs = Sequences.from_list(parts).with_data(together).to_list()
    for number, part in enumerate(parts):
        if len(part):
            single, final = predicted(layer, Sequences.from_list([part]), spec)  # type: ignore[arg-type]
            assert torch.equal(single, outputs[number])
            assert all(torch.equal(mine[0], all_[number]) for mine, all_ in zip(final, finals, strict=True))


@EVERY_CELL
def test_chunks_have_the_bits_of_the_whole(cell: CellKind) -> None:
    made = native(cell, input_size=4).eval()
    whole = rows_of([9, 7], 4)
    with torch.no_grad():
        expected, last = made(whole)
        state, pieces = None, []
        for chunk in whole.chunks(4):
            output, state = made(chunk, state)
            pieces.append(output)
    for number, wanted in enumerate(expected.to_list()):
        found = torch.cat([piece.to_list()[number] for piece in pieces])
        assert torch.equal(found, wanted)
    assert state is not None
    assert all(map(torch.equal, state, last))


# --- weights that are held ---------------------------------------------------------------------------------


def changed_in_place(layer: nn.Module) -> None:
    with torch.no_grad():
        layer.weight_hh_l0.add_(1)  # type: ignore[operator,union-attr]


def changed_as_data(layer: nn.Module) -> None:
    layer.weight_hh_l0.data.add_(1)  # type: ignore[operator,union-attr]


def changed_by_a_fused_optimizer(layer: nn.Module) -> None:
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)
    for each in layer.parameters():
        each.grad = torch.ones_like(each)
    optimizer.step()


def replaced(layer: nn.Module) -> None:
    layer.weight_hh_l0 = nn.Parameter(torch.randn_like(layer.weight_hh_l0))  # type: ignore[call-overload]


def given_other_data(layer: nn.Module) -> None:
    layer.weight_hh_l0.data = torch.randn(layer.weight_hh_l0.shape)  # type: ignore[union-attr,operator]


@pytest.mark.parametrize(
    "change", [changed_in_place, changed_as_data, changed_by_a_fused_optimizer, replaced, given_other_data]
)
def test_weights_that_change_are_prepared_anew(change: Any) -> None:
    made, inputs = native("lstm"), rows_of([4, 2])

    def predicted() -> Tensor:
        with torch.no_grad():
            found: Tensor = made(inputs)[0].data
            return found

    predicted()
    if change is changed_by_a_fused_optimizer:
        made(inputs)  # nobody has gradients without such a pass
    change(made.layers[0])
    expected = stack_of(replace(made.spec, kernel="packed"), dtype=torch.float32)
    expected.load_state_dict(made.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(predicted(), expected(inputs)[0].data, rtol=1e-4, atol=1e-5)


def test_weights_without_versions_are_taken_as_they_are() -> None:
    with torch.inference_mode():
        made, inputs = native("lstm"), rows_of([4, 2])
        first = made(inputs)[0].data.clone()
        changed_in_place(made.layers[0])
        assert not torch.equal(made(inputs)[0].data, first)


def test_what_is_held_is_not_copied_with_a_layer() -> None:
    made = native("lstm")
    with torch.no_grad():
        made(rows_of([4, 2]))
    assert HELD in made.layers[0].__dict__
    twin = copy.deepcopy(made)
    assert twin.layers[0].__dict__[HELD].prepared is None
    assert all(map(torch.equal, twin.parameters(), made.parameters()))


@pytest.mark.parametrize("lengths", [[4, 2], [4]])
@EVERY_CELL
def test_weights_of_another_precision_are_not_read_as_single(cell: CellKind, lengths: list[int]) -> None:
    made = native(cell, kernel="auto").double()
    inputs = rows_of(lengths)
    expected = stack_of(replace(made.spec, kernel="packed"))
    expected.load_state_dict(made.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(made(inputs)[0].data, expected(inputs)[0].data)


# --- which batches it takes --------------------------------------------------------------------------------


def test_it_takes_single_precision_on_a_cpu() -> None:
    spec = native("lstm", recurrent_dropout=0.1).spec
    auto = replace(spec, kernel="auto")
    assert choose_kernel(auto, rows_of([3])) == "native"
    assert choose_kernel(auto, rows_of([3]).with_data(torch.zeros(3, 5, dtype=torch.float64))) == "packed"
    assert choose_kernel(replace(auto, checkpoint_every=2), rows_of([3])) == "packed"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert choose_kernel(auto, rows_of([3])) == "packed"
        with pytest.raises(RuntimeError, match=r"in fp32 on a CPU, .*without autocast"):
            choose_kernel(spec, rows_of([3]))
        with torch.no_grad():  # what was trained with it runs anywhere
            assert choose_kernel(spec, rows_of([3])) == "packed"
    with pytest.raises(ValueError, match="checkpoint_every needs 'packed' or 'auto'"):
        replace(spec, checkpoint_every=2)
