"""The reference against torch's modules, torch's autograd and finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import pytest
import torch
from torch import Tensor, nn

from seqlab.engine import CellKind, State
from seqlab.engine.recurrent import reference
from seqlab.engine.recurrent.reference import Gradients, Trace, Weights
from seqlab.engine.seeding import seeded

INPUT = 3
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
DIFFERENCE = {"rtol": 1e-7, "atol": 1e-8}
"""Of central differences: the rounding of a loss of size 1 over a step of 1e-5, and the step squared."""


@dataclass(frozen=True)
class Case:
    """A cell and its sizes; `projected` 0 is no projection."""

    cell: CellKind
    hidden: int = 4
    projected: int = 0
    steps: int = 6


CASES = (
    Case("rnn_tanh"),
    Case("rnn_relu", hidden=5),
    Case("lstm"),
    Case("gru"),
    Case("lstm", hidden=5, projected=2),
    Case("rnn_tanh", hidden=1, steps=1),
    Case("lstm", hidden=1, steps=1),
    Case("gru", hidden=1, steps=1),
)
EVERY = pytest.mark.parametrize("case", CASES, ids=str)


def module(case: Case) -> nn.RNNBase:
    """One layer of torch's in both directions, with larger weights than it draws: gates that do something."""
    sizes = {"input_size": INPUT, "hidden_size": case.hidden}
    with seeded(1):
        if case.cell == "lstm":
            made: nn.RNNBase = nn.LSTM(**sizes, proj_size=case.projected, bidirectional=True)
        elif case.cell == "gru":
            made = nn.GRU(**sizes, bidirectional=True)
        else:
            made = nn.RNN(**sizes, nonlinearity=case.cell.removeprefix("rnn_"), bidirectional=True)
        for parameter in made.double().parameters():
            nn.init.normal_(parameter, std=0.7)
    return made


def draw(case: Case, *, seed: int) -> tuple[Tensor, Tensor, State, State]:
    """Draw inputs, what the loss gives the outputs, the initial state, what the loss gives the final one."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    size = case.projected or case.hidden
    parts = (size, case.hidden) if case.cell == "lstm" else (size,)
    inputs, d_outputs = normal(case.steps, INPUT), normal(case.steps, size)
    return inputs, d_outputs, tuple(map(normal, parts)), tuple(map(normal, parts))


def loss(outputs: Tensor, final: State, d_outputs: Tensor, d_final: State) -> Tensor:
    """A loss whose gradients with respect to outputs and final state are the given ones."""
    parts = (part @ d_part for part, d_part in zip(final, d_final, strict=True))
    return (outputs * d_outputs).sum() + sum(parts, start=torch.zeros(()))


def run_torch(made: nn.RNNBase, inputs: Tensor, states: tuple[State, State]) -> tuple[Tensor, list[State]]:
    """Run both directions; return (time, 2 * size) and the final state of each direction."""
    initial = tuple(torch.stack(both) for both in zip(*states, strict=True))
    outputs, final = made(inputs, initial if isinstance(made, nn.LSTM) else initial[0])
    parts = final if isinstance(final, tuple) else (final,)
    return outputs, [tuple(part[direction] for part in parts) for direction in (0, 1)]


def assert_close(found: Tensor | None, expected: Tensor | None, what: str, **tolerance: float) -> None:
    if found is None or expected is None:
        assert found is expected, what
        return
    torch.testing.assert_close(found, expected, msg=lambda text: f"{what}: {text}", **(tolerance or CLOSE))


def named(weights: Weights) -> dict[str, Tensor]:
    return {
        field.name: value for field in fields(weights) if (value := getattr(weights, field.name)) is not None
    }


@EVERY
def test_outputs_and_final_states_are_torchs_in_both_directions(case: Case) -> None:
    made = module(case)
    inputs, _, ahead, back = draw(case, seed=2)
    outputs, finals = run_torch(made, inputs, (ahead, back))
    first = reference.forward(case.cell, Weights.of(made.state_dict()), inputs, ahead)
    second = reference.forward(case.cell, Weights.of(made.state_dict(), "_l0_reverse"), inputs.flip(0), back)
    assert_close(torch.cat([first.outputs, second.outputs.flip(0)], dim=1), outputs.detach(), "outputs")
    for trace, final in zip((first, second), finals, strict=True):
        for found, expected in zip(trace.final, final, strict=True):
            assert_close(found, expected.detach(), "final state")


@EVERY
def test_a_state_that_is_not_given_is_zero(case: Case) -> None:
    made = module(case)
    inputs, *_ = draw(case, seed=2)
    outputs, _ = made(inputs)
    trace = reference.forward(case.cell, Weights.of(made.state_dict()), inputs)
    assert_close(trace.outputs, outputs.detach()[:, : trace.outputs.shape[1]], "outputs")
    assert not any(part.any() for part in trace.initial)


@EVERY
def test_gradients_are_those_of_autograd_through_torchs_module(case: Case) -> None:
    made = module(case)
    inputs, d_outputs, initial, d_final = draw(case, seed=3)
    leaf = inputs.clone().requires_grad_()
    start = tuple(part.clone().requires_grad_() for part in initial)
    outputs, (final, _) = run_torch(made, leaf, (start, initial))
    loss(outputs[:, : d_outputs.shape[1]], final, d_outputs, d_final).backward()

    weights = Weights.of(made.state_dict())
    found = reference.backward(reference.forward(case.cell, weights, inputs, initial), d_outputs, d_final)
    assert_close(found.inputs, leaf.grad, "inputs")
    for part, expected in zip(found.state, start, strict=True):
        assert_close(part, expected.grad, "initial state")
    for name, part in named(found.weights).items():
        assert_close(part, made.get_parameter(f"{name}_l0").grad, name)


@EVERY
def test_the_gradient_of_a_hidden_state_is_that_of_everything_after_it(case: Case) -> None:
    """That of step t is the direct one plus that of the rest, run by torch from the state after step t."""
    made = module(case)
    inputs, d_outputs, initial, d_final = draw(case, seed=4)
    trace = reference.forward(case.cell, Weights.of(made.state_dict()), inputs, initial)
    hidden = reference.backward(trace, d_outputs, d_final).hidden
    for t in range(case.steps - 1):
        start = tuple(part.clone().requires_grad_() for part in trace.steps[t].after)
        outputs, (final, _) = run_torch(made, inputs[t + 1 :], (start, initial))
        loss(outputs[:, : d_outputs.shape[1]], final, d_outputs[t + 1 :], d_final).backward()
        assert start[0].grad is not None
        assert_close(hidden[t], d_outputs[t] + start[0].grad, f"step {t}")
    assert_close(hidden[-1], d_outputs[-1] + d_final[0], "last step")


def mask_for(case: Case) -> Tensor:
    """A mask as dropout with p = 0.5 draws it."""
    return torch.tensor([2.0, 0.0, 2.0, 2.0, 0.0], dtype=torch.float64)[: case.projected or case.hidden]


def masked(case: Case, inputs: Tensor, initial: State) -> Callable[[Weights], Trace]:
    return lambda weights: reference.forward(case.cell, weights, inputs, initial, mask_for(case))


@EVERY
def test_the_mask_acts_as_one_on_the_columns_of_the_recurrent_weight(case: Case) -> None:
    """`W (m * h)` is `(W diag m) h`; for the GRU this also says that the h in its mean is not masked."""
    weights = Weights.of(module(case).state_dict())
    inputs, d_outputs, initial, d_final = draw(case, seed=5)
    mask = mask_for(case)
    trace = masked(case, inputs, initial)(weights)
    expected = reference.forward(
        case.cell, replace(weights, weight_hh=weights.weight_hh * mask), inputs, initial
    )
    assert_close(trace.outputs, expected.outputs, "outputs")
    assert not torch.allclose(trace.outputs, reference.forward(case.cell, weights, inputs, initial).outputs)

    found = reference.backward(trace, d_outputs, d_final)
    other = reference.backward(expected, d_outputs, d_final)
    assert_close(found.inputs, other.inputs, "inputs")
    assert_close(found.weights.weight_hh, other.weights.weight_hh * mask, "weight_hh")
    assert_close(found.weights.weight_ih, other.weights.weight_ih, "weight_ih")
    for part, part_of_other in zip(found.state, other.state, strict=True):
        assert_close(part, part_of_other, "initial state")


def slopes(function: Callable[[Tensor], float], point: Tensor, step: float = 1e-5) -> Tensor:
    """Differentiate by central differences in each element."""
    found = torch.zeros_like(point)
    for place in range(point.numel()):
        shift = torch.zeros_like(point)
        shift.view(-1)[place] = step
        found.view(-1)[place] = (function(point + shift) - function(point - shift)) / (2 * step)
    return found


@EVERY
def test_gradients_with_a_mask_are_the_finite_differences(case: Case) -> None:
    weights = Weights.of(module(case).state_dict())
    inputs, d_outputs, initial, d_final = draw(case, seed=6)
    found = reference.backward(masked(case, inputs, initial)(weights), d_outputs, d_final)

    def value(weights: Weights, inputs: Tensor, initial: State) -> float:
        trace = masked(case, inputs, initial)(weights)
        return float(loss(trace.outputs, trace.final, d_outputs, d_final))

    for name, part in named(weights).items():
        expected = slopes(lambda at, name=name: value(replace(weights, **{name: at}), inputs, initial), part)
        assert_close(named(found.weights)[name], expected, name, **DIFFERENCE)
    assert_close(found.inputs, slopes(lambda at: value(weights, at, initial), inputs), "inputs", **DIFFERENCE)
    for number, part in enumerate(initial):
        others = initial[:number], initial[number + 1 :]
        expected = slopes(lambda at, o=others: value(weights, inputs, (*o[0], at, *o[1])), part)
        assert_close(found.state[number], expected, "initial state", **DIFFERENCE)


@EVERY
def test_weight_gradients_are_one_product_over_all_steps(case: Case) -> None:
    inputs, d_outputs, initial, d_final = draw(case, seed=7)
    trace = masked(case, inputs, initial)(Weights.of(module(case).state_dict()))
    found = reference.backward(trace, d_outputs, d_final)
    before = mask_for(case) * torch.cat([initial[0][None], trace.outputs[:-1]])
    assert_close(found.weights.weight_ih, found.from_input.T @ inputs, "weight_ih")
    assert_close(found.weights.weight_hh, found.from_state.T @ before, "weight_hh")
    assert_close(found.weights.bias_ih, found.from_input.sum(0), "bias_ih")
    assert_close(found.weights.bias_hh, found.from_state.sum(0), "bias_hh")
    if found.weights.weight_hr is not None:
        unprojected = torch.stack([step.unprojected for step in trace.steps])
        assert_close(found.weights.weight_hr, found.hidden.T @ unprojected, "weight_hr")


@EVERY
def test_two_parts_with_the_state_handed_over_make_the_whole(case: Case) -> None:
    weights = Weights.of(module(case).state_dict())
    inputs, d_outputs, initial, d_final = draw(case, seed=8)
    cut = case.steps // 2  # 0 where there is one step: the first part is empty
    trace = reference.forward(case.cell, weights, inputs, initial)
    whole = reference.backward(trace, d_outputs, d_final)

    first = reference.forward(case.cell, weights, inputs[:cut], initial)
    second = reference.forward(case.cell, weights, inputs[cut:], first.final)
    assert torch.equal(torch.cat([first.outputs, second.outputs]), trace.outputs)
    later = reference.backward(second, d_outputs[cut:], d_final)
    earlier = reference.backward(first, d_outputs[:cut], later.state)
    assert torch.equal(torch.cat([earlier.inputs, later.inputs]), whole.inputs)
    assert torch.equal(torch.cat([earlier.hidden, later.hidden]), whole.hidden)
    for name, part in named(whole.weights).items():
        assert_close(named(earlier.weights)[name] + named(later.weights)[name], part, name)


@EVERY
def test_an_empty_sequence_hands_state_and_gradient_through(case: Case) -> None:
    weights = Weights.of(module(case).state_dict())
    inputs, d_outputs, initial, d_final = draw(case, seed=9)
    trace = reference.forward(case.cell, weights, inputs[:0], initial)
    assert trace.outputs.shape == (0, d_outputs.shape[1])
    assert trace.final is initial
    found = reference.backward(trace, d_outputs[:0], d_final)
    assert all(map(torch.equal, found.state, d_final))
    assert not any(part.any() for part in named(found.weights).values())


def test_a_rectified_unit_at_zero_passes_nothing_on() -> None:
    case = Case("rnn_relu")
    made = module(case)
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    inputs, d_outputs, *_ = draw(case, seed=10)
    leaf = inputs.clone().requires_grad_()
    made(leaf)[0].sum().backward()
    trace = reference.forward(case.cell, Weights.of(made.state_dict()), inputs)
    found: Gradients = reference.backward(trace, d_outputs)
    assert_close(found.inputs, leaf.grad, "inputs")
    assert not found.from_input.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_copies_in_float64_that_need_no_gradient(dtype: torch.dtype) -> None:
    made = nn.LSTM(INPUT, 4, num_layers=2, bidirectional=True, dtype=dtype)
    parameters = dict(made.named_parameters())
    weights = Weights.of(parameters, "_l1_reverse")
    assert weights.weight_ih.shape == (16, 8)
    assert weights.weight_hr is None
    for part in named(weights).values():
        assert part.dtype == torch.float64
        assert not part.requires_grad
    before = weights.weight_hh.clone()
    nn.init.zeros_(made.weight_hh_l1_reverse)
    assert torch.equal(weights.weight_hh, before)


def test_wrong_precision_states_and_shapes_are_refused() -> None:
    case = Case("gru")
    weights = Weights.of(module(case).state_dict())
    inputs, d_outputs, initial, _ = draw(case, seed=11)
    with pytest.raises(
        ValueError, match=r"^the reference computes in float64, the inputs are torch\.float32$"
    ):
        reference.forward(case.cell, weights, inputs.float(), initial)
    with pytest.raises(ValueError, match=r"^the state of a cell of kind 'gru' is 1 tensors, not 2$"):
        reference.forward(case.cell, weights, inputs, (*initial, *initial))
    trace = reference.forward(case.cell, weights, inputs, initial)
    with pytest.raises(ValueError, match=r"^d_outputs is \(5, 4\), the outputs \(6, 4\)$"):
        reference.backward(trace, d_outputs[1:])
