"""One recurrent layer by the native loops; the large matrix products that sum over all rows are torch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.engine.recurrent.cells import LayerWeights, Parts
from seqlab.engine.recurrent.native.library import Library, Pass
from seqlab.engine.recurrent.native.weights import CELLS, Prepared, address, held_prepared, padded
from seqlab.engine.recurrent.spec import CellKind

__all__ = ["NativePass", "run_native"]


@dataclass(frozen=True, kw_only=True)
class NativePass:
    """How one layer runs over one batch.

    `sizes` (steps,) are the rows of each time step, none more than the one before, int64 on the CPU. With an
    `index`, (rows,), the inputs are a table of distinct rows, each projected once; for that there is no
    backward pass. `outputs` says whether the rows' outputs are asked for, or the final state alone.
    """

    cell: CellKind
    sizes: Tensor
    rows: int
    outputs: bool = True
    index: Tensor | None = None


def run_native(
    library: Library,
    layer: nn.RNNBase,
    how: NativePass,
    inputs: Tensor,
    weights: Callable[[], Sequence[LayerWeights]],
    state: Parts,
    mask: Tensor | None = None,
) -> tuple[Tensor | None, Parts]:
    """Map packed rows (rows, input_size) to (rows, directions * output_size), and the state to the last one.

    The shapes are those of `run_packed`; `weights` returns those of `layer`. All is fp32 on the CPU. Second
    derivatives raise RuntimeError.
    """
    if torch.is_grad_enabled():
        own = weights()
        ready = Prepared(how.cell, own, library)
        tensors = (tensor for each in own for tensor in each)
        output, *final = NativeLayer.apply(how, ready, inputs, mask, len(state), *state, *tensors)  # type: ignore[no-untyped-call,unused-ignore]
    else:
        ready = held_prepared(layer, how.cell, weights, library)
        output, *final = _Run(how, ready, inputs, mask, state).forward(keep=False)
    return output, tuple(final)


class _Run:
    """One pass over a batch, and the buffers that the loops fill."""

    def __init__(
        self, how: NativePass, ready: Prepared, inputs: Tensor, mask: Tensor | None, state: Sequence[Tensor]
    ) -> None:
        self.how, self.ready = how, ready
        self.directions = len(ready.each)
        self.inputs = inputs.contiguous()
        self.state = [
            padded(part, size) for part, size in zip(state, (ready.output, ready.hidden), strict=False)
        ]
        self.mask = None if mask is None else padded(mask, ready.output)
        self.gates = self.inputs
        self.outputs: Tensor | None = None
        self.kept: Tensor | None = None
        self.unprojected: Tensor | None = None

    def forward(self, *, keep: bool) -> tuple[Tensor | None, ...]:
        """Run; the output in the order of the rows, and the parts of the final state."""
        how, ready, new = self.how, self.ready, self.inputs.new_empty
        self.gates = new(self.directions, len(self.inputs), ready.gates * ready.hidden)
        self.outputs = new(how.rows, self.directions * ready.output) if keep or how.outputs else None
        kept = (self.directions, how.rows, ready.hidden)
        self.kept = new(kept) if keep else None
        self.unprojected = new(kept) if keep and ready.projects else None
        final = [torch.empty_like(part) for part in self.state]
        described = self._described()
        described.final_h, described.final_c = map(address, (*final, None)[:2])
        described.inputs = address(self.inputs)
        ready.library.forward(described)
        wanted = ready.cut_outputs(self.outputs) if how.outputs and self.outputs is not None else None
        return wanted, *ready.cut_states(final)

    def backward(
        self, grad_output: Tensor | None, grad_final: Sequence[Tensor | None]
    ) -> tuple[Parts, tuple[Tensor | None, ...]]:
        """Run back, once; return the gradients of the first state, and of each direction's weights."""
        ready = self.ready
        grad_output = None if grad_output is None else ready.pad_outputs(grad_output)
        sizes = (ready.output, ready.hidden)
        grads = [
            torch.zeros_like(part) if grad is None else padded(grad, size).clone()
            for grad, part, size in zip(grad_final, self.state, sizes, strict=False)
        ]
        bias_grads = torch.zeros_like(ready.bias)
        shape = (self.directions, self.how.rows, ready.output)
        projected = self.inputs.new_empty(shape) if ready.projects else None
        described = self._described()
        described.packed = 0
        described.output_grads = address(grad_output)
        described.h_grads, described.c_grads = map(address, (*grads, None)[:2])
        described.bias_grads, described.projected_grads = address(bias_grads), address(projected)
        ready.library.backward(described)
        sums = [
            self._weight_grads(described, number, bias, None if projected is None else projected[number])
            for number, bias in enumerate(bias_grads)
        ]
        return ready.cut_states(grads), tuple(chain.from_iterable(sums))

    def input_grads(self) -> Tensor:
        """Return the gradient of the inputs, (rows, input_size), after `backward`."""
        found = torch.mm(self.gates[0], self.ready.each[0].input)
        for grads, each in zip(self.gates[1:], self.ready.each[1:], strict=True):
            found.addmm_(grads, each.input)
        return found

    def _weight_grads(
        self, described: Pass, direction: int, bias: Tensor, projected: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ready, grads = self.ready, self.gates[direction].t()
        hidden_size, output_size = ready.sizes
        before = self.inputs.new_empty(self.how.rows, ready.output)
        ready.library.before(described, direction, before)
        hidden_bias = projection = None
        if ready.hidden_bias is None:
            hidden = torch.mm(grads, before)
        else:  # the product within a GRU's reset gate has a gradient of its own
            assert self.kept is not None, "a pass backwards needs what was kept"
            within, split = self.kept[direction], 2 * ready.hidden
            hidden = torch.cat([torch.mm(grads[:split], before), torch.mm(within.t(), before)])
            hidden_bias = within.sum(0)[:hidden_size]
        if projected is not None:
            assert self.unprojected is not None, "a pass backwards needs what was kept"
            projection = torch.mm(projected.t(), self.unprojected[direction])[:output_size, :hidden_size]
        return (
            ready.cut_gates(torch.mm(grads, self.inputs)),
            ready.cut_gates(hidden)[:, :output_size],
            ready.cut_gates(bias),
            hidden_bias,
            projection,
        )

    def _described(self) -> Pass:
        how = self.how
        described = Pass(
            cell=CELLS[how.cell],
            steps=len(how.sizes),
            rows=how.rows,
            sequences=self.state[0].shape[1],
            directions=self.directions,
            threads=torch.get_num_threads(),
            sizes=how.sizes.data_ptr(),
            index=address(how.index),
            gate_rows=self.gates.shape[1],
            mask=address(self.mask),
            first_h=address(self.state[0]),
            first_c=address(self.state[1]) if len(self.state) > 1 else None,
            outputs=address(self.outputs),
            gates=address(self.gates),
            kept=address(self.kept),
            unprojected=address(self.unprojected),
        )
        self.ready.describe(described)
        return described


class NativeLayer(torch.autograd.Function):
    """The forward and the backward pass of one layer.

    The loops backwards write the gradients over what was kept. So a second backward pass of a graph that is
    retained does the forward pass anew.
    """

    @staticmethod
    def forward(
        ctx: Any, how: NativePass, ready: Prepared, inputs: Tensor, mask: Tensor | None, *tensors: Any
    ) -> Any:
        """See `run_native`; the tensors are the number of the state's parts, these parts, and the weights."""
        count, *rest = tensors
        run = _Run(how, ready, inputs, mask, rest[:count])
        results = run.forward(keep=any(ctx.needs_input_grad))
        # torch checks that nobody changes these in place; and who keeps what he returns is never freed.
        shared = run.outputs if run.outputs is results[0] else None
        if shared is not None:
            run.outputs = None
        ctx.save_for_backward(shared, inputs, *rest)
        ctx.run, ctx.spent = run, False
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *grad_final: Tensor | None) -> Any:
        """Return the gradients of the inputs, the first state and the weights."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the native kernel has no second derivatives (create_graph=True); kernel 'torch' has them"
            )
        run: _Run = ctx.run
        shared = ctx.saved_tensors[0]
        if ctx.spent:
            run.forward(keep=True)
        elif shared is not None:
            run.outputs = shared
        ctx.spent = True
        state, weights = run.backward(grad_output, grad_final)
        inputs = run.input_grads() if ctx.needs_input_grad[2] else None
        run.outputs = None
        return None, None, inputs, None, None, *state, *weights
