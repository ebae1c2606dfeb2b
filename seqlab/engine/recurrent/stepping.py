"""One row at a time: a single sequence by torch's cells, and the steps of a stack that keeps its state."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seqlab.engine.recurrent.native.library import library
from seqlab.engine.recurrent.native.steps import NativeSteps
from seqlab.engine.recurrent.spec import RecurrentSpec
from seqlab.engine.state import State

__all__ = ["Stepper", "StoredWeights", "run_cells"]

StoredWeights: TypeAlias = Literal["fp32", "bf16"]

CELLS = {"gru": torch.gru_cell, "rnn_tanh": torch.rnn_tanh_cell, "rnn_relu": torch.rnn_relu_cell}


def run_cells(layer: nn.RNNBase, spec: RecurrentSpec, rows: Tensor, state: State) -> tuple[Tensor, State]:
    """Map the rows of one sequence, (rows, input_size), to (rows, output_size), and the state to the last.

    For prediction: at one row a step, torch's cells are several times faster than its modules. The state is
    (directions, 1, size); there must be no projection.
    """
    outputs, finals = [], []
    for direction in range(spec.directions):
        now = tuple(part[direction] for part in state)
        order = [row[None] for row in rows]
        found = []
        for row in reversed(order) if direction else order:
            now = _step(layer, spec, row, now, "_l0_reverse" if direction else "_l0")
            found.append(now[0])
        outputs.append(torch.cat(found[::-1] if direction else found))
        finals.append(now)
    parts = tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
    return torch.cat(outputs, dim=1), parts


def _step(layer: nn.RNNBase, spec: RecurrentSpec, rows: Tensor, state: State, suffix: str) -> State:
    """Take one step of a direction, whose state is (sequences, size)."""
    names = (f"{kind}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    weights: Sequence[Tensor] = [getattr(layer, name) for name in names]
    if spec.cell != "lstm":
        return (CELLS[spec.cell](rows, state[0], *weights),)
    h, c = torch.lstm_cell(rows, list(state), *weights)
    return h, c


def _rounded(layer: nn.RNNBase) -> nn.RNNBase:
    """Return a copy of a layer whose weights, biases aside, are rounded to bf16 numbers."""
    if parametrize.is_parametrized(layer):
        raise ValueError("weights in bf16 need a layer whose weights are plain parameters")
    rounded = copy.deepcopy(layer)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if name.startswith("weight"):
                weight.copy_(weight.bfloat16())
    return rounded


class Stepper:
    """A stack of layers that read forwards, in prediction: takes one row of each sequence at a time.

    `state` is that of the stack, (sequences, num_layers, size), after the rows so far; it may be set. Weights
    are taken over when the stepper is made. The native loops take the steps where they are compiled, torch's
    cells elsewhere. Raises ValueError for a stack that reads both ways or projects.

    `weights` is `fp32`, or `bf16`: those of the products are rounded to 8 bits (the relative error is at most
    2**-8), everything else stays as it is; the native loops then read half of the memory.
    """

    def __init__(
        self,
        layers: Sequence[nn.RNNBase],
        spec: RecurrentSpec,
        sequences: int = 1,
        state: State | None = None,
        weights: StoredWeights = "fp32",
    ) -> None:
        if spec.bidirectional or spec.proj_size:
            raise ValueError("steps are for a stack that reads forwards only and does not project")
        if weights not in get_args(StoredWeights):
            raise ValueError(f"weights must be one of: {', '.join(get_args(StoredWeights))}; got {weights!r}")
        halves = weights == "bf16"
        self.layers = [_rounded(each) for each in layers] if halves else list(layers)
        self.spec, self.sequences = spec, sequences
        first: Tensor = next(layers[0].parameters())
        self._kind = first.dtype, first.device
        self._wanted = torch.Size((sequences, spec.input_size))
        loops = library() if first.device.type == "cpu" and first.dtype == torch.float32 else None
        self._native = NativeSteps(self.layers, spec, sequences, loops, halves=halves) if loops else None
        self._state: State = ()
        self.state = state or tuple(first.new_zeros(self._shape(size)) for size in spec.state_sizes)

    @property
    def state(self) -> State:
        """The state after the rows so far; tensors of their own."""
        parts = self._native.state if self._native else self._state
        return tuple(part.clone() for part in parts)

    @state.setter
    def state(self, state: State) -> None:
        shapes = [self._shape(size) for size in self.spec.state_sizes]
        if [tuple(part.shape) for part in state] != shapes:
            got = [tuple(part.shape) for part in state]
            raise ValueError(f"the state must have parts of shape {shapes}, got {got}")
        with torch.no_grad():
            own = tuple(part.detach().to(*self._kind[::-1], copy=True) for part in state)
            if self._native:
                self._native.state = own
            else:
                self._state = own

    def __call__(self, rows: Tensor) -> Tensor:
        """Map one row of each sequence, (sequences, input_size), to (sequences, hidden_size)."""
        if rows.shape != self._wanted:
            raise ValueError(f"a step takes rows of shape {tuple(self._wanted)}, got {tuple(rows.shape)}")
        if (rows.dtype, rows.device) != self._kind:
            kinds = [f"{dtype} on {device}" for dtype, device in (self._kind, (rows.dtype, rows.device))]
            raise ValueError(f"a step takes rows of {kinds[0]}, as the weights are; got {kinds[1]}")
        return self._native(rows) if self._native else self._by_cells(rows)

    @torch.inference_mode()
    def _by_cells(self, rows: Tensor) -> Tensor:
        states = []
        for number, layer in enumerate(self.layers):
            now = tuple(part[:, number] for part in self._state)
            states.append(_step(layer, self.spec, rows, now, "_l0"))
            rows = states[-1][0]
        self._state = tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))
        return rows

    def _shape(self, size: int) -> tuple[int, int, int]:
        return self.sequences, self.spec.num_layers, size
