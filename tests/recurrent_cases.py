"""Random recurrent stacks and ragged batches for them, and torch's own modules run on each sequence alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from seqlab.engine import CellKind, Kernel, RecurrentSpec, RecurrentStack, Sequences, State
from seqlab.engine.seeding import seeded

CELLS: tuple[CellKind, ...] = ("rnn_tanh", "rnn_relu", "lstm", "gru")
LENGTHS = (5, 0, 2, 7, 2, 1)

Answers = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stack, a batch of these lengths, and whether an initial state is given with the batch."""

    spec: RecurrentSpec
    lengths: tuple[int, ...] = LENGTHS
    given: bool = False
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Leaves of a graph, and a loss whose gradients with respect to outputs and final state are drawn."""

    inputs: list[Tensor]
    state: State | None
    d_outputs: list[Tensor]
    d_final: State

    def loss(self, outputs: list[Tensor], final: State) -> Tensor:
        """Without outputs, the loss of the final state alone."""
        d_outputs = self.d_outputs if outputs else []
        pairs = zip([*outputs, *final], [*d_outputs, *self.d_final], strict=True)
        return torch.stack([(found.double() * grad).sum() for found, grad in pairs]).sum()


def lengths(longest: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Lengths of 1 to 6 sequences, not all of them 0; some are all the same."""
    ragged = st.lists(st.integers(0, longest), min_size=1, max_size=6).filter(any)
    same = st.builds(lambda length, count: [length] * count, st.integers(1, longest), st.integers(1, 6))
    return st.one_of(ragged, same).map(tuple)


@st.composite
def cases(draw: st.DrawFn, *, hidden: tuple[int, int] = (1, 6), longest: int = 12) -> Case:
    """All cells, 1 to 3 layers, both directions, projections, initial states learned and given."""
    cell, hidden_size = draw(st.sampled_from(CELLS)), draw(st.integers(*hidden))
    projects = cell == "lstm" and hidden_size > 1 and draw(st.booleans())
    spec = RecurrentSpec(
        cell=cell,
        input_size=draw(st.integers(1, 5)),
        hidden_size=hidden_size,
        num_layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        proj_size=draw(st.integers(1, hidden_size - 1)) if projects else 0,
        initial_state=draw(st.sampled_from(("zeros", "learned"))),
    )
    seed = draw(st.integers(0, 2**31))
    return Case(spec=spec, lengths=draw(lengths(longest)), given=draw(st.booleans()), seed=seed)


def stack(cell: CellKind = "lstm", *, dtype: torch.dtype = torch.float64, **options: Any) -> RecurrentStack:
    """Return a small stack on seqlab's own kernel, unless told otherwise."""
    sizes: dict[str, Any] = {"input_size": 3, "hidden_size": 4, "kernel": "packed"}
    return stack_of(RecurrentSpec(cell=cell, **(sizes | options)), dtype=dtype)


def stack_of(spec: RecurrentSpec, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> RecurrentStack:
    """Return a stack whose weights depend on the seed and on the shapes only; all are float32 numbers."""
    with seeded(seed):
        made = RecurrentStack(spec)
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=spec.hidden_size**-0.5)
    return made.to(dtype)


def batch_of(case: Case, *, dtype: torch.dtype = torch.float64) -> Batch:
    """Draw a batch; all numbers are float32 numbers."""
    generator, spec = torch.Generator().manual_seed(case.seed + 1), case.spec
    rows = spec.num_layers * spec.directions

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    states = [tuple(normal(len(case.lengths), rows, size) for size in spec.state_sizes) for _ in range(2)]
    return Batch(
        inputs=[normal(length, spec.input_size).requires_grad_() for length in case.lengths],
        state=tuple(part.requires_grad_() for part in states[0]) if case.given else None,
        d_outputs=[normal(length, spec.output_size) for length in case.lengths],
        d_final=states[1],
    )


def sequences(case: Case | None = None, *, dtype: torch.dtype = torch.float64) -> Sequences:
    """Return the inputs of a batch, or those of a small one, without gradients."""
    case = case or Case(spec=RecurrentSpec(cell="gru", input_size=3, hidden_size=4))
    return Sequences.from_list([each.detach() for each in batch_of(case, dtype=dtype).inputs])


def torchs_names(made: RecurrentStack) -> dict[str, nn.Parameter]:
    """Return a stack's parameters by torch's names, and a learned initial state as `initial.0` and on."""
    return {
        re.sub(r"^layers\.(\d+)\.(\w+)_l0", r"\2_l\1", name): parameter
        for name, parameter in made.named_parameters()
    }


def torchs_own(made: RecurrentStack) -> nn.RNNBase:
    """Return torch's module of as many layers, with the weights of a stack."""
    spec = made.spec
    sizes = (spec.input_size, spec.hidden_size, spec.num_layers)
    options: dict[str, Any] = {"bidirectional": spec.bidirectional, "dtype": next(made.parameters()).dtype}
    if spec.cell == "lstm":
        rnn: nn.RNNBase = nn.LSTM(*sizes, proj_size=spec.proj_size, **options)
    elif spec.cell == "gru":
        rnn = nn.GRU(*sizes, **options)
    else:
        rnn = nn.RNN(*sizes, nonlinearity=spec.cell.removeprefix("rnn_"), **options)
    weights = {name: each for name, each in torchs_names(made).items() if not name.startswith("initial")}
    rnn.load_state_dict(weights, strict=True)
    return rnn


def by_stack(made: RecurrentStack, case: Case) -> Answers:
    """Run a stack on the whole batch; return outputs, final states and all gradients."""
    batch = batch_of(case, dtype=next(made.parameters()).dtype)
    output, final = made(Sequences.from_list(batch.inputs), batch.state)
    return answers(batch, output.to_list(), final, torchs_names(made))


def alone(made: RecurrentStack, case: Case) -> Answers:
    """Run torch's module on each sequence alone; return what `by_stack` returns."""
    batch, rnn = batch_of(case, dtype=next(made.parameters()).dtype), torchs_own(made)
    learned = [part.detach().clone().requires_grad_() for part in made.initial]
    zeros = [part.new_zeros(part.shape[1:]) for part in batch.d_final]
    outputs, finals = [], []
    for number, each in enumerate(batch.inputs):
        given = None if batch.state is None else [part[number] for part in batch.state]
        output, final = run_alone(rnn, each, tuple(given or learned or zeros))
        outputs.append(output)
        finals.append(final)
    final = tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
    initial = {f"initial.{number}": part for number, part in enumerate(learned)}
    return answers(batch, outputs, final, initial | dict(rnn.named_parameters()))


class NearestTo0(TorchDispatchMode):
    """Notes how near to 0 what enters a relu comes, in units of its largest: there the slope jumps."""

    found = math.inf

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        if func is torch.ops.aten.relu.default:
            sizes = args[0].abs()
            self.found = min(self.found, float(sizes.min() / sizes.max().clamp(min=1)))
        return func(*args, **(kwargs or {}))


def assert_same_in_single_precision(case: Case, *kernels: Kernel) -> None:
    """Check kernels in float32 against torch's module in float64, each sequence alone.

    Where sums cancel so much that torch's module in float32 is far off, too, they may be as far. Where what
    enters a relu is 0 but for its last bits, either slope is right, and gradients are left out.
    """
    with NearestTo0() as entering:
        expected = alone(stack_of(case.spec, seed=case.seed), case)
    torchs = alone(stack_of(case.spec, seed=case.seed, dtype=torch.float32), case)
    for kernel in kernels:
        made = stack_of(replace(case.spec, kernel=kernel), seed=case.seed, dtype=torch.float32)
        found = by_stack(made, case)
        for name, value in expected.items():
            if entering.found < 1e-4 and name.startswith("gradient"):
                continue
            allowed = 10 * far_off(torchs[name], value)
            assert_same({name: found[name]}, {name: value}, 1e-5, floor=max(1.0, allowed / 1e-5))


def far_off(found: Tensor, value: Tensor) -> float:
    """Return the largest difference."""
    return float((found.double() - value.double()).abs().max()) if value.numel() else 0.0


def run_alone(rnn: nn.RNNBase, each: Tensor, state: State) -> tuple[Tensor, State]:
    """Run one sequence without padding or packing; a state has shape (layers * directions, size)."""
    if not len(each):
        directions = 2 if rnn.bidirectional else 1
        return each.new_empty(0, state[0].shape[-1] * directions), state
    output, final = rnn(each, state if isinstance(rnn, nn.LSTM) else state[0])
    return output, final if isinstance(final, tuple) else (final,)


def answers(batch: Batch, outputs: list[Tensor], final: State, parameters: dict[str, Any]) -> Answers:
    """Name outputs, final states and the gradients of inputs, initial states and parameters."""
    state = () if batch.state is None else batch.state
    leaves = {f"inputs {number}": each for number, each in enumerate(batch.inputs)}
    leaves |= {f"state {number}": part for number, part in enumerate(state)} | parameters
    loss = batch.loss(outputs, final)
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    found = {f"output {number}": each.detach() for number, each in enumerate(outputs)}
    found |= {f"final {number}": part.detach() for number, part in enumerate(final)}
    return found | {f"gradient of {name}": grad for name, grad in zip(leaves, grads, strict=True)}


def assert_same(found: Answers, expected: Answers, tolerance: float, *, floor: float = 1.0) -> None:
    """Check each tensor, to `tolerance` times its largest entry, or times `floor` where that is larger."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        if value.numel():
            error = far_off(found[name], value)
            assert error <= tolerance * max(floor, float(value.abs().max())), f"{name}: {error}"


def bytes_kept(run: Callable[[], object]) -> int:
    """Return how much memory a forward pass keeps for the backward pass."""
    storages: dict[int, int] = {}

    def note(kept: Tensor) -> Tensor:
        storage = kept.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return kept

    # What was returned must live on until all is counted, or memory would be used, and counted, twice.
    with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        returned = run()
    del returned
    return sum(storages.values())
