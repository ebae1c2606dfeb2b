"""One layer on Sequences: which kernel runs, in which precision, and recurrent dropout."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from recurrent_cases import CELLS, Case, batch_of, bytes_kept, sequences, stack
from torch import Tensor, nn

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences
from seqlab.engine.recurrent import kernels
from seqlab.engine.recurrent.kernels import FEW, choose_kernel
from seqlab.engine.seeding import seeded
from seqlab.engine.sequences import RepeatedRows

BF16_CLOSE = {"rtol": 0.05, "atol": 0.05}
"""bf16 has 8 bits: a product is off by up to 1/256, a few steps of them by a few times that."""

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
SQUARE = [5] * FEW


@pytest.fixture
def without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there was no compiler at installation."""
    monkeypatch.setattr(kernels, "library", lambda: None)


def spec_of(cell: CellKind = "lstm", **options: Any) -> RecurrentSpec:
    return RecurrentSpec(cell=cell, input_size=3, hidden_size=4, **options)


def batch(lengths: list[int], dtype: torch.dtype = torch.float32) -> Sequences:
    return Sequences.from_flat(torch.zeros(sum(lengths), 3, dtype=dtype), lengths)


def bf16() -> Any:
    return torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("spec", "lengths", "expected"),
    [
        (spec_of(), SQUARE, "torch"),
        (spec_of(bidirectional=True), SQUARE, "torch"),
        (spec_of(), [*SQUARE, 0, 0], "torch"),
        (spec_of(), [*SQUARE, 5], "packed"),
        (spec_of(), [10, 9, 8, 8], "padded"),
        (spec_of(bidirectional=True), [10, 9, 8, 8, 0], "padded"),
        (spec_of(), [10, 7, 7, 7], "packed"),
        (spec_of(), [*SQUARE, 4], "packed"),
        (spec_of("gru"), [10, 9, 8, 8], "packed"),
        (spec_of(kernel="packed"), [10, 9, 8, 8], "packed"),
        (spec_of(proj_size=2), SQUARE, "packed"),
        (spec_of(recurrent_dropout=0.1), SQUARE, "packed"),
        (spec_of(checkpoint_every=3), SQUARE, "packed"),
        (spec_of("gru"), SQUARE, "packed"),
        (spec_of("rnn_tanh"), SQUARE, "packed"),
        (spec_of(kernel="packed"), SQUARE, "packed"),
        (spec_of(kernel="torch"), [5, 4], "torch"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("without_native")
def test_the_table_decides_in_training(spec: RecurrentSpec, lengths: list[int], expected: str) -> None:
    assert choose_kernel(spec, batch(lengths)) == expected


@pytest.mark.usefixtures("without_native")
def test_without_gradients_onednn_takes_any_number_of_equal_lengths() -> None:
    with torch.no_grad():
        assert choose_kernel(spec_of(), batch([5] * 10 * FEW)) == "torch"
        assert choose_kernel(spec_of(), batch([6, 4, 3] * FEW)) == "padded"
        assert choose_kernel(spec_of(), batch([6, 2, 2] * FEW)) == "packed"
        rows = batch(SQUARE)
        repeated = RepeatedRows(rows.data[:1], rows.with_data(torch.zeros(80).long()))
        assert choose_kernel(spec_of(), repeated) == "packed"


def test_onednn_is_for_single_precision() -> None:
    assert choose_kernel(spec_of(), batch(SQUARE, torch.float64)) == "packed"
    with bf16():
        assert choose_kernel(spec_of(), batch(SQUARE)) == "packed"


@pytest.mark.usefixtures("without_native")
@pytest.mark.parametrize("lengths", [SQUARE, [5, 4], [5, 1]], ids=["one length", "nearly one", "many"])
def test_the_kernel_that_is_chosen_runs(lengths: list[int]) -> None:
    made = stack("lstm", dtype=torch.float32, kernel="auto")
    inputs = batch(lengths)
    leaf = inputs.data.requires_grad_()
    output, _ = made(inputs)
    packed = choose_kernel(made.spec, inputs) == "packed"
    assert packed == (lengths == [5, 1])
    with pytest.raises(RuntimeError, match="no second derivatives") if packed else nullcontext():
        torch.autograd.grad(output.data.sum(), leaf, create_graph=True)


@EVERY_CELL
def test_kernel_torch_has_second_derivatives(cell: CellKind) -> None:
    made = stack(cell, kernel="torch")
    inputs = sequences()
    leaf = inputs.data.requires_grad_()
    output, _ = made(inputs)
    (grad,) = torch.autograd.grad(output.data.square().sum(), leaf, create_graph=True)
    grad.square().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("kernel", ["packed", "torch"])
@EVERY_CELL
def test_a_layer_in_half_precision_stays_close(cell: CellKind, kernel: str) -> None:
    made = stack(cell, num_layers=2, bidirectional=True, kernel=kernel, dtype=torch.float32)
    expected, _ = made(sequences(dtype=torch.float32))
    output, final = made.bfloat16()(sequences(dtype=torch.bfloat16))
    assert output.data.dtype == torch.bfloat16
    torch.testing.assert_close(output.data.float(), expected.data, **BF16_CLOSE)
    output.data.float().sum().backward()
    assert all(part.dtype == torch.bfloat16 for part in final)
    assert all(each.grad is not None and each.grad.isfinite().all() for each in made.parameters())


def trained_step(made: RecurrentStack, chunk: int | None = None) -> tuple[Tensor, Any, list[Tensor]]:
    """Outputs, final states and gradients of a batch, of carried state where a chunk's length is given."""
    case = Case(spec=made.spec)
    drawn, pieces, state = batch_of(case, dtype=torch.float32), [], None
    whole = Sequences.from_list(drawn.inputs)
    for part in whole.chunks(chunk):
        piece, state = made(part, state)
        pieces.append(piece.data)
    assert state is not None
    output = whole.with_data(torch.cat(pieces).float())
    leaves = [*(each for each in drawn.inputs if len(each)), *made.parameters()]
    finals = tuple(part.detach() for part in state)
    return (
        output.data.detach(),
        finals,
        list(torch.autograd.grad(drawn.loss(output.to_list(), state), leaves)),
    )


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"checkpoint_every": 2}])
@pytest.mark.parametrize("chunk", [None, 3])
@EVERY_CELL
def test_autocast_computes_products_in_bf16_and_states_in_fp32(
    cell: CellKind, chunk: int | None, options: dict[str, Any]
) -> None:
    if chunk and "bidirectional" in options:
        options = {"num_layers": 2}
    made = stack(cell, dtype=torch.float32, initial_state="learned", **options)
    expected, expected_state, expected_grads = trained_step(made, chunk)
    with bf16():
        output, state, grads = trained_step(made, chunk)
    torch.testing.assert_close(output, expected, **BF16_CLOSE)
    for found, wanted in zip([*state, *grads], [*expected_state, *expected_grads], strict=True):
        assert found.dtype == torch.float32
        assert found.isfinite().all()
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.05 * max(1.0, float(wanted.abs().max())))
    assert not torch.equal(output, expected)
    assert not any(torch.equal(part, part.bfloat16().float()) for part in state), "states keep all their bits"


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "proj_size": 2}], ids=str)
def test_checkpoints_keep_less_and_compute_the_same_in_the_same_precision(options: dict[str, Any]) -> None:
    made = stack("lstm", dtype=torch.float32, **options)
    checkpointed = stack("lstm", dtype=torch.float32, checkpoint_every=100, **options)
    inputs = sequences(dtype=torch.float32)
    assert bytes_kept(lambda: checkpointed(inputs)) < bytes_kept(lambda: made(inputs))
    with bf16():
        outputs = [each(inputs)[0].data.sum() for each in (made, checkpointed)]
    grads = [
        torch.autograd.grad(output, list(of.parameters()))
        for output, of in zip(outputs, (made, checkpointed), strict=True)
    ]
    assert all(torch.equal(*pair) for pair in zip(*grads, strict=True))


@EVERY_CELL
def test_under_autocast_no_bit_beyond_bf16_enters_a_product(cell: CellKind) -> None:
    made = stack(cell, dtype=torch.float32)
    inputs = sequences(dtype=torch.float32)
    rounded = inputs.with_data(inputs.data.bfloat16().float())
    assert not torch.equal(made(rounded)[0].data, made(inputs)[0].data)
    with bf16():
        assert torch.equal(made(rounded)[0].data, made(inputs)[0].data)


@EVERY_CELL
def test_the_forward_pass_decides_the_precision_of_the_backward_pass(cell: CellKind) -> None:
    made, inputs = stack(cell, dtype=torch.float32), sequences(dtype=torch.float32)
    leaves = [inputs.data.requires_grad_(), *made.parameters()]
    with bf16():
        output, _ = made(inputs)
        inside = torch.autograd.grad(output.data.sum(), leaves, retain_graph=True)
    outside = torch.autograd.grad(output.data.sum(), leaves)
    assert all(torch.equal(*pair) for pair in zip(inside, outside, strict=True))
    assert torch.equal(outside[0], outside[0].bfloat16().float()), "it is a product in bf16"


@pytest.mark.parametrize("bidirectional", [False, True])
@EVERY_CELL
def test_equal_rows_projected_once_change_no_answer(cell: CellKind, *, bidirectional: bool) -> None:
    made = stack(cell, num_layers=2, bidirectional=bidirectional).eval()
    like, table = sequences(), torch.randn(4, 3, dtype=torch.float64)
    index = torch.arange(len(like.data)) * 7 % 4
    plain = like.with_data(table[index])
    repeated = RepeatedRows(table, like.with_data(index))
    with torch.no_grad():
        (output, final), (expected, expected_final) = made(repeated), made(plain)
    for found, wanted in zip([output.data, *final], [expected.data, *expected_final], strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert "data" not in vars(repeated), "the rows themselves were never made"
    leaf = table.requires_grad_()
    output, _ = made(RepeatedRows(leaf, like.with_data(index)))
    output.data.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().sum() > 0


def only_recurrence(p: float, **options: Any) -> RecurrentStack:
    """A layer whose h, from 1, is at each step what recurrent dropout leaves of the h before."""
    made = stack("rnn_relu", recurrent_dropout=p, initial_state="learned", **options)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "weight_hh" in name:
                nn.init.eye_(parameter)
            else:
                parameter.fill_(1 if "initial" in name else 0)
    return made


@pytest.mark.parametrize("p", [0.5, 0.25])
def test_recurrent_dropout_draws_one_mask_per_sequence_and_direction(p: float) -> None:
    made = only_recurrence(p, bidirectional=True, hidden_size=32)
    with seeded(1), torch.no_grad():
        output, _ = made(sequences())
    masks = []
    for each in output.to_list():
        for direction, rows in enumerate(each.split(32, dim=1)):
            steps = rows.flip(0) if direction else rows
            for step, h in enumerate(steps):
                torch.testing.assert_close(h, steps[0] ** (step + 1))
            masks.extend(steps[:1])
    assert {float(entry) for mask in masks for entry in mask} == {0.0, 1 / (1 - p)}
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks)


@EVERY_CELL
def test_recurrent_dropout_acts_in_training_only_and_is_seeded(cell: CellKind) -> None:
    made, plain = stack(cell, num_layers=2, recurrent_dropout=0.5), stack(cell, num_layers=2)
    inputs = sequences()
    expected = plain(inputs)[0].data
    assert torch.equal(made.eval()(inputs)[0].data, expected)
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            drawn.append(made.train()(inputs)[0].data)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2])
    assert not torch.allclose(drawn[0], expected)


@EVERY_CELL
def test_recurrent_dropout_leaves_the_first_step_alone_when_h_begins_at_zero(cell: CellKind) -> None:
    made, plain = stack(cell, recurrent_dropout=0.5), stack(cell)
    firsts = sequences().layout.times == 0
    found, expected = made(sequences())[0].data[firsts], plain(sequences())[0].data[firsts]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_every_cell_has_its_arithmetic() -> None:
    assert set(kernels.CELLS) == set(CELLS)


def test_after_a_layer_in_bf16_autocast_still_takes_the_packed_kernel() -> None:
    made = stack("gru", kernel="auto").float()
    rows = Sequences.from_flat(torch.randn(5, made.spec.input_size, dtype=torch.bfloat16), [3, 2])
    with torch.autocast("cpu", torch.bfloat16):
        assert choose_kernel(made.spec, rows) == "packed"
        output, _ = made(rows)
    assert choose_kernel(made.spec, rows) == "torch"
    assert output.data.dtype == torch.float32


@pytest.mark.parametrize("cell", CELLS)
def test_autocast_leaves_doubles_alone(cell: CellKind) -> None:
    made = stack(cell)
    rows = Sequences.from_flat(torch.randn(5, made.spec.input_size).double(), [3, 2])
    expected, _ = made(rows)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = made(rows)
    assert torch.equal(found.data, expected.data)


def test_a_state_in_bf16_goes_on_in_the_dtype_of_the_weights() -> None:
    made = stack("lstm").float()
    rows = Sequences.from_flat(torch.randn(5, made.spec.input_size), [3, 2])
    parts = (torch.zeros(2, 1, size, dtype=torch.bfloat16) for size in made.spec.state_sizes)
    _, final = made(rows, tuple(parts))
    assert [part.dtype for part in final] == [torch.float32, torch.float32]
