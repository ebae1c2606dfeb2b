"""The exportable form answers as the packed stack does, here and in another runtime, whatever the padding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqlab.engine import CellKind, MaskedStack, RecurrentSpec, RecurrentStack, Sequences, State
from seqlab.engine.seeding import seeded

INPUT, HIDDEN, PROJECTED = 3, 6, 4
CELLS: tuple[CellKind, ...] = ("rnn_tanh", "rnn_relu", "lstm", "gru")
EXPORTED: dict[str, dict[str, Any]] = {
    "RNN": {"cell": "rnn_tanh", "bidirectional": True},
    "RNN, relu": {"cell": "rnn_relu"},
    "LSTM": {"cell": "lstm", "bidirectional": True, "num_layers": 2},
    "LSTM, projected": {"cell": "lstm", "bidirectional": True, "proj_size": PROJECTED},
    "LSTM, learned state": {"cell": "lstm", "initial_state": "learned"},
    "GRU": {"cell": "gru", "bidirectional": True, "num_layers": 2},
}
"""Stacks by the operators that they become."""
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}

DYNAMIC = torch.export.Dim.DYNAMIC
ONE_TYPE = r"ignore:.isinstance\(treespec, LeafSpec\). is deprecated:FutureWarning"
"""What the exporter says of itself while it copies a graph."""

Answer = tuple[Tensor, State]


def stack(cell: CellKind, **spec: Any) -> RecurrentStack:
    with seeded(1):
        made = RecurrentStack(RecurrentSpec(cell=cell, input_size=INPUT, hidden_size=HIDDEN, **spec))
        for initial in made.initial:
            nn.init.normal_(initial)
        return made.eval()


def padded(lengths: Sequence[int], time: int, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    """Inputs that hold `fill` behind the lengths."""
    values = torch.randn(len(lengths), time, INPUT, generator=torch.Generator().manual_seed(2))
    for row, length in zip(values, lengths, strict=True):
        row[length:] = fill
    return values, torch.tensor(lengths)


def state_for(made: RecurrentStack, count: int) -> State:
    generator = torch.Generator().manual_seed(3)
    shape = (count, made.spec.num_layers * made.spec.directions)
    return tuple(torch.randn(*shape, size, generator=generator) for size in made.spec.state_sizes)


@torch.no_grad()
def packed(made: RecurrentStack, inputs: Tensor, lengths: Tensor, state: State | None) -> Answer:
    """The packed stack's answer, its output padded to the same number of time steps."""
    output, final = made(Sequences.from_padded(inputs, lengths), state)
    missing = inputs.shape[1] - output.layout.longest
    return nn.functional.pad(output.to_padded(), (0, 0, 0, missing)), final


def assert_same(found: Answer, expected: Answer) -> None:
    for one, other in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, **CLOSE), float((one - other).abs().max())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    more=st.integers(0, 3),
    layers=st.integers(1, 3),
    projected=st.booleans(),
    initial=st.sampled_from(["zeros", "learned", "given"]),
)
def test_it_answers_as_the_packed_stack_does(
    cell: CellKind,
    lengths: list[int],
    more: int,
    layers: int,
    initial: str,
    *,
    bidirectional: bool,
    projected: bool,
) -> None:
    made = stack(
        cell,
        bidirectional=bidirectional,
        num_layers=layers,
        proj_size=PROJECTED if projected and cell == "lstm" else 0,
        initial_state="learned" if initial == "learned" else "zeros",
    )
    inputs, sizes = padded(lengths, max(lengths, default=0) + more or 1)
    state = state_for(made, len(lengths)) if initial == "given" else None
    with torch.no_grad():
        found = MaskedStack(made)(inputs, sizes, state)
    assert_same(found, packed(made, inputs, sizes, state))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("fill", [0.0, 1e30, float("nan")])
def test_nothing_behind_the_lengths_changes_a_bit(cell: CellKind, fill: float) -> None:
    masked = MaskedStack(stack(cell, num_layers=2, bidirectional=True))
    inputs, lengths = padded((5, 0, 8, 1), 8)
    expected = masked(inputs, lengths)
    longer = nn.functional.pad(padded((5, 0, 8, 1), 8, fill)[0], (0, 0, 0, 4), value=fill)
    output, final = masked(longer, lengths)
    assert torch.equal(output[:, :8], expected[0])
    assert not output[:, 8:].any()
    assert all(torch.equal(one, other) for one, other in zip(final, expected[1], strict=True))


def test_it_shares_the_weights_and_ignores_dropout() -> None:
    made = stack("gru", num_layers=2, dropout=0.5, recurrent_dropout=0.5).train()
    masked = MaskedStack(made)
    inputs, lengths = padded((4, 2), 4)
    assert_same(masked(inputs, lengths), packed(made.eval(), inputs, lengths, None))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    assert_same(masked(inputs, lengths), packed(made, inputs, lengths, None))


GIVEN = ("LSTM", "GRU", "LSTM, projected")
"""Stacks that are given a state; an export by torch takes 5 to 20 seconds, so one runs by default."""


@pytest.mark.filterwarnings(ONE_TYPE)
@pytest.mark.parametrize(
    ("name", "given_state"),
    [
        pytest.param(name, name in GIVEN, marks=[pytest.mark.slow] if name != "LSTM" else [])
        for name in EXPORTED
    ],
)
def test_another_runtime_answers_batches_of_any_size_from_the_exported_file(
    name: str, tmp_path: Path, *, given_state: bool
) -> None:
    made, file = stack(**EXPORTED[name]), tmp_path / "stack.onnx"
    export(made, file, given_state=given_state)
    assert operators(file) == [name.partition(",")[0]] * made.spec.num_layers * made.spec.directions
    for lengths, time in (((7, 0, 1, 9, 4), 11), ((1,), 1), ((2, 3), 3)):
        inputs, sizes = padded(lengths, time)
        state = state_for(made, len(lengths)) if given_state else None
        expected = packed(made, inputs, sizes, state)
        assert_same(run(file, padded(lengths, time, fill=float("nan"))[0], sizes, *(state or ())), expected)


def export(made: RecurrentStack, file: Path, *, given_state: bool) -> None:
    inputs, lengths = padded((5, 3), 5)
    args: list[Any] = [inputs, lengths]
    shapes: list[Any] = [{0: DYNAMIC, 1: DYNAMIC}, {0: DYNAMIC}]
    if given_state:
        args.append(state_for(made, 2))
        shapes.append(tuple({0: DYNAMIC} for _ in args[2]))
    masked = MaskedStack(made).eval()
    torch.onnx.export(
        masked, tuple(args), file, dynamic_shapes=tuple(shapes), external_data=False, verbose=False
    )


def operators(file: Path) -> list[str]:
    """The recurrent operators and loops of a file."""
    graph = onnx.load(file).graph
    return [
        node.op_type for node in graph.node if node.op_type in {"RNN", "LSTM", "GRU", "Scan", "Loop", "If"}
    ]


def run(file: Path, *inputs: Tensor) -> Answer:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    values = dict(zip(names, (each.numpy() for each in inputs), strict=True))
    output, *final = (torch.from_numpy(each) for each in session.run(None, values))
    return output, tuple(final)
