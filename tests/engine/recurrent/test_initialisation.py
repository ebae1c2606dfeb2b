from __future__ import annotations

import pytest
import torch

from seqlab.engine import CellKind, RecurrentInit, RecurrentSpec, RecurrentStack
from seqlab.engine.seeding import seeded

HIDDEN = 6
GATES: dict[CellKind, int] = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
CELLS = pytest.mark.parametrize("cell", GATES)


def weights(cell: CellKind, init: RecurrentInit, *, part: str) -> list[torch.Tensor]:
    """The weights or biases of every layer and direction, cut into gates."""
    with seeded(1):
        stack = RecurrentStack(
            RecurrentSpec(
                cell=cell, input_size=3, hidden_size=HIDDEN, num_layers=2, bidirectional=True, init=init
            )
        )
    found = [parameter.detach() for name, parameter in stack.named_parameters() if part in name]
    assert len(found) == 4
    return [gate for each in found for gate in torch.split(each, HIDDEN)]


@CELLS
def test_orthogonal_weights_are_orthogonal_gate_by_gate(cell: CellKind) -> None:
    gates = weights(cell, RecurrentInit("orthogonal"), part="weight_hh")
    assert len(gates) == 4 * GATES[cell]
    for gate in gates:
        assert torch.allclose(gate @ gate.T, torch.eye(HIDDEN), atol=1e-5)
    assert len({tuple(gate.flatten().tolist()) for gate in gates}) == len(gates)


@CELLS
def test_identity_weights_are_the_identity_with_zero_biases(cell: CellKind) -> None:
    init = RecurrentInit("identity")
    assert all(torch.equal(gate, torch.eye(HIDDEN)) for gate in weights(cell, init, part="weight_hh"))
    for part in ("bias_ih", "bias_hh"):
        assert not any(bias.any() for bias in weights(cell, init, part=part))


@CELLS
def test_uniform_weights_are_torchs_own(cell: CellKind) -> None:
    bound = HIDDEN**-0.5
    gates = torch.stack(weights(cell, RecurrentInit(), part="weight_hh"))
    assert gates.abs().max() <= bound
    assert gates.abs().max() > 0.9 * bound
    assert abs(gates.mean()) < 0.1 * bound


@pytest.mark.parametrize("recurrent", ["uniform", "orthogonal", "identity"])
def test_the_forget_bias_is_the_whole_bias_of_forget_gates(recurrent: str) -> None:
    assert recurrent in ("uniform", "orthogonal", "identity")
    init = RecurrentInit(recurrent, forget_bias=1.5)  # type: ignore[arg-type] # a parameter of pytest is a str
    pairs = zip(weights("lstm", init, part="bias_ih"), weights("lstm", init, part="bias_hh"), strict=True)
    for number, (from_input, from_state) in enumerate(pairs):
        total = from_input + from_state
        is_forget_gate = number % GATES["lstm"] == 1
        assert bool((total == 1.5).all()) == is_forget_gate


@pytest.mark.parametrize("cell", ["rnn_tanh", "rnn_relu", "gru"])
def test_a_forget_bias_without_a_forget_gate_is_refused(cell: CellKind) -> None:
    message = f"^forget_bias is for LSTMs: a cell of kind '{cell}' has no forget gate$"
    with pytest.raises(ValueError, match=message):
        RecurrentSpec(cell=cell, input_size=3, hidden_size=4, init=RecurrentInit(forget_bias=1.0))
