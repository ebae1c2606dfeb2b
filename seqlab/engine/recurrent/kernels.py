"""One recurrent layer on Sequences, by the fastest exact kernel.

| where | kernel | why |
|---|---|---|
| a spec or a tap that only the packed kernel can serve | packed | |
| CUDA and other devices | torch | cuDNN takes the packed batch as it is |
| CPU, rows in half precision without autocast | torch | the packed kernel is for fp32 and fp64 weights |
| CPU, fp32 LSTM, no projection, sequences of one length | torch | oneDNN's fused LSTM, without padding |
| the same, sequences of nearly one length | padded | oneDNN's fused LSTM on padding that changes nothing |
| the same in training, more than `FEW` sequences | packed | oneDNN's backward pass is slower |
| the same in prediction, many equal rows | packed | each distinct row is projected once |
| CPU, all else | packed | the backward pass of torch's packed modules costs the square of the length |

`benchmarks/recurrent.py` compares what is chosen with torch's modules, packed and padded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from seqlab.engine.recurrent.bptt import PackedPass, run_packed
from seqlab.engine.recurrent.cells import Cell, LayerWeights
from seqlab.engine.recurrent.gru import GRUCell
from seqlab.engine.recurrent.lstm import LSTMCell
from seqlab.engine.recurrent.padded import padding_share, run_padded
from seqlab.engine.recurrent.rnn import ReluCell, TanhCell
from seqlab.engine.recurrent.spec import CellKind, RecurrentSpec
from seqlab.engine.sequences import RepeatedRows, Sequences
from seqlab.engine.state import State

__all__ = ["Tap", "choose_kernel", "run_layer"]

CELLS: dict[CellKind, Cell] = {
    "rnn_tanh": TanhCell(),
    "rnn_relu": ReluCell(),
    "lstm": LSTMCell(),
    "gru": GRUCell(),
}

Tap: TypeAlias = Callable[[Sequences], None]

FEW = 16
"""Sequences up to which oneDNN's LSTM trains faster than the packed kernel."""

MOST_PADDING = {"training": 0.15, "prediction": 0.33}
"""Share of padding up to which oneDNN's LSTM is faster, padding and all."""


def choose_kernel(spec: RecurrentSpec, inputs: Sequences) -> Literal["packed", "padded", "torch"]:
    """Return the kernel for a batch: what the spec says, or by the table above."""
    if spec.kernel != "auto":
        return spec.kernel
    if spec.only_packed:
        return "packed"
    data, layout = inputs.distinct, inputs.layout
    autocast = torch.is_autocast_enabled("cpu")
    if data.device.type != "cpu" or not (autocast or data.dtype in (torch.float32, torch.float64)):
        return "torch"
    fp32 = data.dtype == torch.float32 and not autocast
    if spec.cell != "lstm" or spec.proj_size or not fp32 or _shared(inputs):
        return "packed"
    training = torch.is_grad_enabled()
    if training and len(layout.alive) > FEW:
        return "packed"
    if layout.rectangular:
        return "torch"
    fits = padding_share(layout) <= MOST_PADDING["training" if training else "prediction"]
    return "padded" if fits else "packed"


def run_layer(
    layer: nn.RNNBase,
    spec: RecurrentSpec,
    inputs: Sequences,
    state: State,
    *,
    outputs: bool = True,
    tap: Tap | None = None,
) -> tuple[Tensor | None, State]:
    """Run one layer, whose weights a torch module holds; the state is (sequences, directions, size).

    Returns (rows, output_size), None where no outputs are asked for, and the final state. A sequence without
    rows keeps its state. With a `tap` it is the packed kernel that runs.
    """
    layout = inputs.layout
    if not layout.total:
        return inputs.distinct.new_empty(0, spec.output_size), state
    alive = tuple(part[layout.alive].transpose(0, 1) for part in state)
    output: Tensor | None
    kernel = "packed" if tap else choose_kernel(spec, inputs)
    if kernel == "torch":
        output, final = _run_torch(layer, inputs, alive)
    elif kernel == "padded":
        output, final = run_padded(inputs, _weights(layer, spec), alive)
    else:
        output, final = _run_packed(layer, spec, inputs, alive, outputs, tap)
    return output, tuple(
        old.to(part.dtype).index_copy(0, layout.alive, part.transpose(0, 1))
        for old, part in zip(state, final, strict=True)
    )


def _run_packed(
    layer: nn.RNNBase, spec: RecurrentSpec, inputs: Sequences, state: State, outputs: bool, tap: Tap | None
) -> tuple[Tensor | None, State]:
    weights, device = _weights(layer, spec), inputs.distinct.device.type
    dtype = products = weights[0].input.dtype
    if torch.is_autocast_enabled(device) and dtype == torch.float32:  # autocast leaves doubles alone
        products = torch.get_autocast_dtype(device)
    state = tuple(part.to(dtype) for part in state)
    mask = None
    if layer.training and spec.recurrent_dropout:
        mask = functional.dropout(torch.ones_like(state[0]), spec.recurrent_dropout)
    rows, index = (inputs.table, inputs.index) if _shared(inputs) else (inputs.data, None)
    how = PackedPass(
        cell=CELLS[spec.cell],
        steps=inputs.layout.steps,
        reverse=inputs.layout.reverse if spec.bidirectional else None,
        outputs=outputs,
        checkpoint_every=spec.checkpoint_every,
        products=products,
        index=index,
        tap=None if tap is None else lambda grads: tap(inputs.with_data(grads)),
    )
    return run_packed(how, rows.to(dtype), weights, state, mask)


def _shared(inputs: Sequences) -> TypeGuard[RepeatedRows]:
    """Return whether to project a table of distinct rows instead of the rows: smaller, and no gradient."""
    if torch.is_grad_enabled() or not isinstance(inputs, RepeatedRows):
        return False
    return len(inputs.table) < inputs.layout.total


def _weights(layer: nn.RNNBase, spec: RecurrentSpec) -> list[LayerWeights]:
    """Return the layer's weights, direction by direction."""
    # A GRU's new gate has its hidden bias inside the product with the reset gate.
    inside = spec.hidden_size if spec.cell == "gru" else 0

    def direction(suffix: str) -> LayerWeights:
        bias = getattr(layer, "bias_hh" + suffix)
        outside = functional.pad(bias[: len(bias) - inside], (0, inside))
        return LayerWeights(
            getattr(layer, "weight_ih" + suffix),
            getattr(layer, "weight_hh" + suffix),
            getattr(layer, "bias_ih" + suffix) + outside,
            bias[-inside:] if inside else None,
            getattr(layer, "weight_hr" + suffix) if spec.proj_size else None,
        )

    return [direction(suffix) for suffix in ("_l0", "_l0_reverse")[: spec.directions]]


def _run_torch(layer: nn.RNNBase, inputs: Sequences, state: State) -> tuple[Tensor, State]:
    layout = inputs.layout
    first = tuple(part.contiguous() for part in state)
    start = first if isinstance(layer, nn.LSTM) else first[0]
    # Sequences of one length are a padded batch without padding, which oneDNN takes (bf16 not everywhere, and
    # no projections).
    autocast = torch.is_autocast_enabled(inputs.data.device.type)
    if layout.rectangular and not layer.proj_size and not autocast:
        output, final = layer(inputs.data.reshape(layout.longest, -1, inputs.data.shape[1]), start)
        output = output.flatten(0, 1)
    else:
        packed, final = layer(PackedSequence(inputs.data, layout.batch_sizes), start)
        output = packed.data
    return output, final if isinstance(final, tuple) else (final,)
