"""A stack of recurrent layers over packed sequences: the one seam behind which the kernels stand.

Every recurrent part of seqlab (encoders, character featurizers) runs through `RecurrentStack`. Today a layer
is torch's own module on the packed batch; a faster kernel replaces `_run_layer` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from seqlab.engine.model import State
from seqlab.engine.recurrent.dropout import SequenceDropout
from seqlab.engine.recurrent.initialisation import RecurrentInit, initialise
from seqlab.engine.sequences import Layout, Sequences

__all__ = ["CellKind", "RecurrentSpec", "RecurrentStack"]

CellKind = Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]


@dataclass(frozen=True, kw_only=True)
class RecurrentSpec:
    """The shape of a recurrent stack, in torch's terms.

    `dropout` acts between layers, on rows independently or, `locked`, with one mask per sequence (Gal and
    Ghahramani 2016). `initial_state` is zeros or learned, one vector per layer and direction. Raises
    ValueError where `init` sets a forget bias and `cell` has no forget gate.
    """

    cell: CellKind
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    locked: bool = False
    initial_state: Literal["zeros", "learned"] = "zeros"
    init: RecurrentInit = RecurrentInit()  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.init.forget_bias is not None and self.cell != "lstm":
            raise ValueError(f"forget_bias is for LSTMs: a cell of kind {self.cell!r} has no forget gate")

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """The size of an output row: `hidden_size` for each direction."""
        return self.hidden_size * self.directions

    @property
    def state_tensors(self) -> int:
        """How many tensors a state has: h and c for an LSTM, h for the others."""
        return 2 if self.cell == "lstm" else 1


class RecurrentStack(nn.Module):
    """Recurrent layers on Sequences.

    A state is a tuple of tensors of shape (sequences, num_layers * directions, hidden_size), h first, in the
    caller's order and in torch's order of layers and directions.
    """

    def __init__(self, spec: RecurrentSpec) -> None:
        super().__init__()
        self.spec = spec
        self.output_size = spec.output_size
        self.carries_state = not spec.bidirectional
        sizes = [spec.input_size] + [spec.output_size] * (spec.num_layers - 1)
        self.layers = nn.ModuleList(_torch_layer(spec, size) for size in sizes)
        self.between = SequenceDropout(spec.dropout, locked=spec.locked)
        self.initial = nn.ParameterList(
            torch.zeros(spec.num_layers * spec.directions, spec.hidden_size)
            for _ in range(spec.state_tensors if spec.initial_state == "learned" else 0)
        )
        for layer in self._torch_layers():
            initialise(layer, spec.init)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        """Map (rows, input_size) to (rows, output_size); return the state after each sequence's last row.

        An empty sequence keeps the state that it came with.
        """
        state = self._initial_state(inputs) if state is None else state
        finals = []
        for number, layer in enumerate(self._torch_layers()):
            if number:
                inputs = self.between(inputs)
            first = number * self.spec.directions
            mine = tuple(part[:, first : first + self.spec.directions] for part in state)
            inputs, final = _run_layer(layer, inputs, mine)
            finals.append(final)
        return inputs, tuple(torch.cat(parts, dim=1) for parts in zip(*finals, strict=True))

    def _torch_layers(self) -> Iterator[nn.RNNBase]:
        return cast("Iterator[nn.RNNBase]", iter(self.layers))  # nn.ModuleList knows nn.Module only

    def _initial_state(self, inputs: Sequences) -> State:
        if self.initial:
            return tuple(part.expand(len(inputs), -1, -1) for part in self.initial)
        shape = (len(inputs), self.spec.num_layers * self.spec.directions, self.spec.hidden_size)
        zeros = next(self.layers.parameters()).new_zeros(shape)
        return (zeros,) * self.spec.state_tensors


def _torch_layer(spec: RecurrentSpec, input_size: int) -> nn.RNNBase:
    if spec.cell == "lstm":
        return nn.LSTM(input_size, spec.hidden_size, bidirectional=spec.bidirectional)
    if spec.cell == "gru":
        return nn.GRU(input_size, spec.hidden_size, bidirectional=spec.bidirectional)
    nonlinearity = spec.cell.removeprefix("rnn_")
    return nn.RNN(input_size, spec.hidden_size, bidirectional=spec.bidirectional, nonlinearity=nonlinearity)


def _run_layer(layer: nn.RNNBase, inputs: Sequences, state: State) -> tuple[Sequences, State]:
    """Run one layer on the non-empty sequences; the state is (sequences, directions, hidden_size)."""
    layout = inputs.layout
    if not layout.total:
        empty = inputs.data.new_empty(0, layer.hidden_size * (2 if layer.bidirectional else 1))
        return inputs.with_data(empty), state
    output, final = layer(inputs.packed(), _to_torch(layer, state, layout))
    assert isinstance(output, PackedSequence)
    return inputs.with_data(output.data), _from_torch(final, state, layout)


def _to_torch(layer: nn.RNNBase, state: State, layout: Layout) -> Tensor | tuple[Tensor, ...]:
    parts = tuple(part[layout.alive].transpose(0, 1).contiguous() for part in state)
    return parts if isinstance(layer, nn.LSTM) else parts[0]


def _from_torch(final: Tensor | tuple[Tensor, ...], state: State, layout: Layout) -> State:
    parts = final if isinstance(final, tuple) else (final,)
    return tuple(
        old.to(part.dtype).index_copy(0, layout.alive, part.transpose(0, 1))
        for old, part in zip(state, parts, strict=True)
    )
