"""A recurrent stack on padded batches, in a form that `torch.onnx.export` can write.

    torch.onnx.export(MaskedStack(stack).eval(), (inputs, lengths), file, dynamic_shapes=...)

Each layer and direction becomes one ONNX operator `RNN`, `LSTM` or `GRU`. Little is left to what a runtime
makes of padding: outputs behind the lengths are masked, and reading backwards is reading forwards what a
gather has reversed within its length. Only the final state comes from the operator, which is given the
lengths (`sequence_lens`): an LSTM's c is to be had of no step but the last. The operators are put into the
graph by `torch.onnx.ops`: from `nn.LSTM` the exporter makes one for a single number of time steps only, and a
loop over the steps (`Scan`) would leave the runtime's fast operators unused.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from seqlab.engine.recurrent.spec import CellKind
from seqlab.engine.recurrent.stack import RecurrentStack
from seqlab.engine.state import State

__all__ = ["MaskedStack"]

OPERATORS: dict[CellKind, tuple[str, dict[str, int | list[str]], tuple[int, ...]]] = {
    "rnn_tanh": ("RNN", {"activations": ["Tanh"]}, (0,)),
    "rnn_relu": ("RNN", {"activations": ["Relu"]}, (0,)),
    "lstm": ("LSTM", {}, (0, 3, 1, 2)),
    "gru": ("GRU", {"linear_before_reset": 1}, (1, 0, 2)),
}
"""The ONNX operator of each cell, its attributes, and torch's gates in the operator's order.

LSTM: i, f, g, o in torch are i, o, f, c there; GRU: r, z, n are z, r, h.
"""

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class MaskedStack(nn.Module):
    """The layers of a RecurrentStack, whose weights it shares, on padded sequences and without any dropout.

    It is made for export; to compute, `RecurrentStack` is many times faster. Export with `torch.onnx.export`
    on the module itself: a program that `torch.export` has made before has its time steps unrolled.
    """

    def __init__(self, stack: RecurrentStack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, inputs: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map inputs (batch, time, input_size) to (batch, time, output_size), zero behind the lengths.

        `lengths`, (batch,) int64, are from 0 to `time`, which is at least 1; what `inputs` holds behind them
        changes nothing. States are those of RecurrentStack, (batch, num_layers * directions, size), and an
        empty sequence keeps its own.
        """
        state = self._initial_state(lengths) if state is None else state
        steps = torch.arange(inputs.shape[1], device=inputs.device)
        alive = steps < lengths.unsqueeze(1)
        padding = _Padding(lengths, alive, torch.where(alive, lengths.unsqueeze(1) - 1 - steps, steps))
        finals = []
        for number, layer in enumerate(self.stack.layers):
            inputs, final = self._layer(cast("nn.RNNBase", layer), number, inputs, state, padding)
            finals += final
        return inputs, tuple(torch.stack(parts, dim=1) for parts in zip(*finals, strict=True))

    def _layer(
        self, layer: nn.RNNBase, number: int, inputs: Tensor, state: State, padding: _Padding
    ) -> tuple[Tensor, list[State]]:
        """Run one layer, all its directions; return its output and the final state of each."""
        outputs, finals = [], []
        for direction in range(self.stack.spec.directions):
            first = tuple(part[:, number * self.stack.spec.directions + direction] for part in state)
            read = padding.reversed(inputs) if direction else inputs
            weights = [getattr(layer, name + "_reverse" * direction) for name in NAMES]
            if self.stack.spec.proj_size:
                projection = getattr(layer, "weight_hr_l0" + "_reverse" * direction)
                output, final = _projected(read, first, padding, _Weights(*weights), projection)
            else:
                output, final = _recur(self.stack.spec.cell, read, first, padding, _Weights(*weights))
            outputs.append(padding.reversed(output) if direction else output)
            finals.append(padding.kept(first, final))
        return torch.where(padding.alive.unsqueeze(2), torch.cat(outputs, dim=-1), 0), finals

    def _initial_state(self, lengths: Tensor) -> State:
        spec, like = self.stack.spec, next(self.stack.layers.parameters())
        starts = tuple(self.stack.initial) or tuple(
            like.new_zeros(spec.num_layers * spec.directions, size) for size in spec.state_sizes
        )
        return tuple(start.expand(lengths.shape[0], -1, -1) for start in starts)


class _Weights(NamedTuple):
    """One direction's weights in torch's layout, gates one above the other."""

    input: Tensor
    hidden: Tensor
    input_bias: Tensor
    hidden_bias: Tensor


class _Padding(NamedTuple):
    """Where sequences end: `lengths` (batch,), `alive` and `reverse` (batch, time)."""

    lengths: Tensor
    alive: Tensor
    reverse: Tensor
    """The time step that stands in each one's place when the sequence is reversed within its length."""

    def reversed(self, padded: Tensor) -> Tensor:
        """Reverse each sequence of (batch, time, features) within its length."""
        return padded.gather(1, self.reverse.unsqueeze(2).expand(-1, -1, padded.shape[2]))

    def kept(self, first: State, final: State) -> State:
        """Return the final state, of empty sequences the one that they came with."""
        some = (self.lengths > 0).unsqueeze(1)
        return tuple(torch.where(some, new, old) for new, old in zip(final, first, strict=True))


def _projected(
    inputs: Tensor, state: State, padding: _Padding, weights: _Weights, projection: Tensor
) -> tuple[Tensor, State]:
    """Run an LSTM with projection as one without, which is all that ONNX has.

    With r = o tanh(c), h = P r and U h = (U P) r; the first step's U h is added as an input of its own, since
    there need be no r for a given h.
    """
    begin = torch.arange(inputs.shape[1], device=inputs.device).unsqueeze(1) == 0
    given = torch.where(begin, state[0].unsqueeze(1), 0)
    both = torch.cat([weights.input, weights.hidden], dim=1)
    unprojected = weights._replace(input=both, hidden=weights.hidden @ projection)
    start = (torch.zeros_like(state[1]), state[1])
    output, (last, cell) = _recur("lstm", torch.cat([inputs, given], dim=2), start, padding, unprojected)
    return output @ projection.t(), (last @ projection.t(), cell)


def _recur(
    cell: CellKind, inputs: Tensor, state: State, padding: _Padding, weights: _Weights
) -> tuple[Tensor, State]:
    """Run a cell forwards; return its outputs and the state after each sequence's last step.

    What stands behind the lengths, and the state of empty sequences, is undefined.
    """
    if torch.onnx.is_in_onnx_export():
        return _operator(cell, inputs, state, padding, weights)
    outputs = []
    for step, alive in zip(inputs.unbind(1), padding.alive.unsqueeze(2).unbind(1), strict=True):
        after = _stepped(cell, step, state, weights)
        state = tuple(torch.where(alive, new, old) for new, old in zip(after, state, strict=True))
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


def _stepped(cell: CellKind, inputs: Tensor, state: State, weights: _Weights) -> State:
    if cell == "lstm":
        return torch.lstm_cell(inputs, state, *weights)
    step = {"gru": torch.gru_cell, "rnn_tanh": torch.rnn_tanh_cell, "rnn_relu": torch.rnn_relu_cell}[cell]
    return (step(inputs, state[0], *weights),)


def _operator(
    cell: CellKind, inputs: Tensor, state: State, padding: _Padding, weights: _Weights
) -> tuple[Tensor, State]:
    """Put the ONNX operator into the graph: X, W, R, B, sequence_lens, initial h and c to Y, Y_h, Y_c."""
    name, attributes, order = OPERATORS[cell]
    sizes = [part.shape[-1] for part in state]
    batch, time, _ = inputs.shape
    w, r, *biases = (
        torch.cat([each.narrow(0, gate * sizes[0], sizes[0]) for gate in order]) for each in weights
    )
    # Runtimes disagree on a length of 0.
    lengths = padding.lengths.clamp(min=1).to(torch.int32)
    output, *final = torch.onnx.ops.symbolic_multi_out(
        name,
        [
            inputs.transpose(0, 1),
            *(each.unsqueeze(0) for each in (w, r, torch.cat(biases))),
            lengths,
            *(part.unsqueeze(0) for part in state),
        ],
        {"hidden_size": sizes[0], **attributes},
        dtypes=[inputs.dtype] * (1 + len(state)),
        shapes=[(time, 1, batch, sizes[0]), *((1, batch, size) for size in sizes)],
    )
    return output.squeeze(1).transpose(0, 1), tuple(part.squeeze(0) for part in final)
