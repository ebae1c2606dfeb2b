"""One recurrent layer on Sequences, by the fastest exact kernel.

| where | kernel | why |
|---|---|---|
| a tap, or checkpoints of the state | packed | only it can serve them |
| CPU, fp32 without autocast, the loops compiled | native | seqlab's own loops in C++ |
| recurrent or weight dropout | packed | torch's modules know none |
| CPU, few steps of one sequence in prediction, no projection | cells | torch's modules cost more |
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
from seqlab.engine.recurrent.cells import Cell, weights_of
from seqlab.engine.recurrent.gru import GRUCell
from seqlab.engine.recurrent.lstm import LSTMCell
from seqlab.engine.recurrent.native.layer import NativePass, run_native
from seqlab.engine.recurrent.native.library import library
from seqlab.engine.recurrent.native.weights import let_go
from seqlab.engine.recurrent.padded import padding_share, run_padded
from seqlab.engine.recurrent.rnn import ReluCell, TanhCell
from seqlab.engine.recurrent.spec import CellKind, RecurrentSpec
from seqlab.engine.recurrent.stepping import run_cells
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

FEW_STEPS = 4
"""Steps of a single sequence up to which torch's cells are faster in prediction than its modules."""

MOST_PADDING = {"training": 0.15, "prediction": 0.33}
"""Share of padding up to which oneDNN's LSTM is faster, padding and all."""


Choice: TypeAlias = Literal["native", "packed", "padded", "torch", "cells"]


def choose_kernel(spec: RecurrentSpec, inputs: Sequences, *, alike: bool = True) -> Choice:
    """Return the kernel for a batch: what the spec says, or by the table above.

    `alike`: weights and state have the inputs' dtype and device. RuntimeError in training where the spec says
    `native` and the loops were not compiled or cannot compute it; a trained model runs anywhere.
    """
    if spec.kernel == "packed" or spec.kernel == "torch":
        return spec.kernel
    data, layout = inputs.distinct, inputs.layout
    autocast = torch.is_autocast_enabled("cpu")
    fits = data.device.type == "cpu" and data.dtype == torch.float32 and alike and not autocast
    if fits and spec.checkpoint_every is None and library() is not None:
        return "native"
    if spec.kernel == "native" and torch.is_grad_enabled():
        raise RuntimeError(_no_native(fits))
    if spec.only_packed:
        return "packed"
    if data.device.type != "cpu" or not (autocast or data.dtype in (torch.float32, torch.float64)):
        return "torch"
    single = len(layout.alive) == 1 and layout.longest <= FEW_STEPS and not torch.is_grad_enabled()
    if single and alike and not spec.proj_size and not autocast:
        return "cells"
    if spec.cell != "lstm" or spec.proj_size or not fits or _shared(inputs):
        return "packed"
    training = torch.is_grad_enabled()
    if training and len(layout.alive) > FEW:
        return "packed"
    if layout.rectangular:
        return "torch"
    full = padding_share(layout) <= MOST_PADDING["training" if training else "prediction"]
    return "padded" if full else "packed"


def _alike(layer: nn.RNNBase, inputs: Sequences, state: State) -> bool:
    """Tell whether weights and state have the dtype and the device of the inputs."""
    kind = inputs.distinct.dtype, inputs.distinct.device
    return all((each.dtype, each.device) == kind for each in (*layer.parameters(), *state))


def _no_native(fits: bool) -> str:
    if not fits:
        return "kernel 'native' computes in fp32 on a CPU, weights and state too, without autocast"
    return "kernel 'native' was not compiled when seqlab was installed; see `seqlab doctor`"


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
    if torch.is_grad_enabled():
        let_go(layer)
    kernel = "packed" if tap else choose_kernel(spec, inputs, alike=_alike(layer, inputs, alive))
    if kernel == "native":
        output, final = _run_native(layer, spec, inputs, alive, outputs)
    elif kernel == "cells":
        output, final = run_cells(layer, spec, inputs.data, alive)
    elif kernel == "torch":
        output, final = _run_torch(layer, inputs, alive)
    elif kernel == "padded":
        output, final = run_padded(inputs, weights_of(layer, spec), alive)
    else:
        output, final = _run_packed(layer, spec, inputs, alive, outputs, tap)
    return output, tuple(
        old.to(part.dtype).index_copy(0, layout.alive, part.transpose(0, 1))
        for old, part in zip(state, final, strict=True)
    )


def _run_native(
    layer: nn.RNNBase, spec: RecurrentSpec, inputs: Sequences, state: State, outputs: bool
) -> tuple[Tensor | None, State]:
    loops = library()
    assert loops is not None, "it was chosen"
    state = tuple(part.float() for part in state)
    rows, index = (inputs.table, inputs.index.long().contiguous()) if _shared(inputs) else (inputs.data, None)
    how = NativePass(
        cell=spec.cell,
        sizes=inputs.layout.batch_sizes,
        rows=inputs.layout.total,
        outputs=outputs,
        index=index,
    )
    mask = _mask(layer, spec, state)
    return run_native(loops, layer, how, rows, lambda: weights_of(layer, spec), state, mask)


def _run_packed(
    layer: nn.RNNBase, spec: RecurrentSpec, inputs: Sequences, state: State, outputs: bool, tap: Tap | None
) -> tuple[Tensor | None, State]:
    weights, device = weights_of(layer, spec), inputs.distinct.device.type
    dtype = products = weights[0].input.dtype
    if torch.is_autocast_enabled(device) and dtype == torch.float32:  # autocast leaves doubles alone
        products = torch.get_autocast_dtype(device)
    state = tuple(part.to(dtype) for part in state)
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
    return run_packed(how, rows.to(dtype), weights, state, _mask(layer, spec, state))


def _mask(layer: nn.RNNBase, spec: RecurrentSpec, state: State) -> Tensor | None:
    """Draw what multiplies h on its way into the recurrent product, in training with recurrent dropout."""
    if not (layer.training and spec.recurrent_dropout):
        return None
    return functional.dropout(torch.ones_like(state[0]), spec.recurrent_dropout)


def _shared(inputs: Sequences) -> TypeGuard[RepeatedRows]:
    """Return whether to project a table of distinct rows instead of the rows: smaller, and no gradient."""
    if torch.is_grad_enabled() or not isinstance(inputs, RepeatedRows):
        return False
    return len(inputs.table) < inputs.layout.total


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
