"""A stack of recurrent layers over packed sequences: every recurrent part of seqlab runs through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.engine.recurrent.dropout import SequenceDropout
from seqlab.engine.recurrent.initialisation import initialise
from seqlab.engine.recurrent.kernels import run_layer
from seqlab.engine.recurrent.spec import RecurrentSpec
from seqlab.engine.recurrent.stepping import Stepper, StoredWeights
from seqlab.engine.sequences import Sequences
from seqlab.engine.state import State

__all__ = ["RecurrentStack"]

OWN_NAME = re.compile(r"layers\.(\d+)\.(weight|bias)_(ih|hh|hr)_l0(_reverse)?$")
TORCHS_NAME = re.compile(r"(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?$")


class RecurrentStack(nn.Module):
    """Recurrent layers on Sequences.

    A state is a tuple of tensors of shape (sequences, num_layers * directions, size), h first, in the
    caller's order and in torch's order of layers and directions; the size is `hidden_size`, of h `proj_size`
    where there is a projection. State dicts have torch's names (`weight_ih_l0`, `bias_hh_l1_reverse`, ...)
    and go to and from `nn.LSTM`, `nn.GRU` and `nn.RNN`; a learned initial state comes on top. While `tap` is
    set, each backward pass calls it per layer with the layer's number and dLoss/dh of each row, the recurrent
    path included, as Sequences of (rows, directions * size of h).
    """

    def __init__(self, spec: RecurrentSpec) -> None:
        super().__init__()
        self.spec = spec
        self.output_size = spec.output_size
        self.carries_state = not spec.bidirectional
        self.state_parts = len(spec.state_sizes)
        self.tap: Callable[[int, Sequences], None] | None = None
        sizes = chain([spec.input_size], repeat(spec.output_size, spec.num_layers - 1))
        self.layers = nn.ModuleList(_torch_layer(spec, size) for size in sizes)
        self.between = SequenceDropout(spec.dropout, locked=spec.locked)
        self.initial = nn.ParameterList(
            torch.zeros(spec.num_layers * spec.directions, size)
            for size in (spec.state_sizes if spec.initial_state == "learned" else ())
        )
        for layer in self._torch_layers():
            initialise(layer, spec.init)
        self.register_state_dict_post_hook(_to_torchs_names)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_from_torchs_names)  # type: ignore[no-untyped-call]

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        """Map (rows, input_size) to (rows, output_size); return the state after each sequence's last row.

        An empty sequence keeps the state that it came with. ValueError where inputs or state have a wrong
        shape.
        """
        output, final = self._run(inputs, state, outputs=True)
        assert output is not None, "it was asked for"
        return inputs.with_data(output), final

    def final_state(self, inputs: Sequences, state: State | None = None) -> State:
        """Return the state alone, without the time and the memory for the last layer's outputs."""
        return self._run(inputs, state, outputs=False)[1]

    def stepper(
        self, sequences: int = 1, state: State | None = None, *, weights: StoredWeights = "fp32"
    ) -> Stepper:
        """Return what takes one row of each sequence at a time in prediction, from a state or the first one.

        `weights` may be `bf16`, see `Stepper`. ValueError for a stack that reads both ways or projects, and
        for a state of a wrong shape.
        """
        if state is None and self.initial:
            state = tuple(part.detach().expand(sequences, -1, -1) for part in self.initial)
        return Stepper(list(self._torch_layers()), self.spec, sequences, state, weights)

    def _run(self, inputs: Sequences, state: State | None, *, outputs: bool) -> tuple[Tensor | None, State]:
        state = self._initial_state(inputs) if state is None else state
        self._check(inputs, state)
        finals, output = [], None
        for number, layer in enumerate(self._torch_layers()):
            if output is not None:
                inputs = self.between(inputs.with_data(output))
            first, inner = number * self.spec.directions, number < self.spec.num_layers - 1
            mine = tuple(part[:, first : first + self.spec.directions] for part in state)
            output, final = run_layer(
                layer, self.spec, inputs, mine, outputs=outputs or inner, tap=self._tap_of(number)
            )
            finals.append(final)
        return output, tuple(torch.cat(parts, dim=1) for parts in zip(*finals, strict=True))

    def _check(self, inputs: Sequences, state: State) -> None:
        spec = self.spec
        if inputs.distinct.shape[1:] != (spec.input_size,):
            shape = tuple(inputs.distinct.shape)
            raise ValueError(f"rows must have {spec.input_size} features, got data of shape {shape}")
        layers = spec.num_layers * spec.directions
        expected = [(len(inputs), layers, size) for size in spec.state_sizes]
        if [tuple(part.shape) for part in state] != expected:
            got = [tuple(part.shape) for part in state]
            raise ValueError(f"the state must have parts of shape {expected}, got {got}")

    def _tap_of(self, number: int) -> Callable[[Sequences], None] | None:
        tap = self.tap
        return None if tap is None else lambda gradient: tap(number, gradient)

    def _torch_layers(self) -> Iterator[nn.RNNBase]:
        return cast("Iterator[nn.RNNBase]", iter(self.layers))  # nn.ModuleList knows nn.Module only

    def _initial_state(self, inputs: Sequences) -> State:
        if self.initial:
            return tuple(part.expand(len(inputs), -1, -1) for part in self.initial)
        shape = (len(inputs), self.spec.num_layers * self.spec.directions)
        like = next(self.layers.parameters())
        return tuple(like.new_zeros(*shape, size) for size in self.spec.state_sizes)


def _torch_layer(spec: RecurrentSpec, input_size: int) -> nn.RNNBase:
    size = (input_size, spec.hidden_size)
    if spec.cell == "lstm":
        return nn.LSTM(*size, bidirectional=spec.bidirectional, proj_size=spec.proj_size)
    if spec.cell == "gru":
        return nn.GRU(*size, bidirectional=spec.bidirectional)
    nonlinearity = spec.cell.removeprefix("rnn_")
    return nn.RNN(*size, bidirectional=spec.bidirectional, nonlinearity=nonlinearity)


def _to_torchs_names(_stack: nn.Module, state: dict[str, Any], prefix: str, _metadata: object) -> None:
    """Rename layers.1.weight_ih_l0 to weight_ih_l1: a stack's layers are modules of one layer each."""
    _rename(state, prefix, OWN_NAME, r"\2_\3_l\1\4")


def _from_torchs_names(_stack: nn.Module, state: dict[str, Any], prefix: str, *_others: object) -> None:
    _rename(state, prefix, TORCHS_NAME, r"layers.\3.\1_\2_l0\4")


def _rename(state: dict[str, Any], prefix: str, pattern: re.Pattern[str], name: str) -> None:
    for key in [key for key in state if key.startswith(prefix) and pattern.match(key, len(prefix))]:
        state[prefix + pattern.sub(name, key[len(prefix) :])] = state.pop(key)
