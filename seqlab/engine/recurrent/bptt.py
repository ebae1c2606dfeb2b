"""Backpropagation through time over packed sequences: the kernel behind the recurrent layers on a CPU.

Sequential are only the recurrent product and pointwise work. All else is done for a block of time steps at
once: the input's projection, the derivatives' factors, and the weights' gradients, which are sums over all
rows and so matrix products (Werbos 1990, "Backpropagation through time: what it does and how to do it";
Appleyard, Kocisky and Blunsom 2016, "Optimizing performance of recurrent neural networks on GPUs"). Both
directions step together: to read backwards is to read each sequence reversed within its length, which keeps
the packed layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import Block, Cell, LayerWeights, Parts
from seqlab.engine.recurrent.sweeps import BackwardSweep, ForwardSweep, previous

__all__ = ["PackedPass", "run_packed"]

BLOCK_ROWS = 1024
"""Rows of a block: enough for efficient matrix products, few enough for its tensors to stay in the cache."""

WEIGHTS = len(LayerWeights._fields)


class Span(NamedTuple):
    """Consecutive time steps."""

    rows: slice
    """Their rows."""
    sizes: list[int]
    """How many rows belong to each step."""
    size_before: int
    """How many belong to the step before; 0 at the beginning."""


@dataclass(frozen=True, kw_only=True)
class PackedPass:
    """How one layer runs over one batch.

    `steps` holds the rows of each time step, none more than the one before; `reverse`, with two directions,
    the row that stands in each row's place when every sequence is reversed within its length. `outputs` says
    whether the rows' outputs are asked for, or the final state alone.
    `checkpoint_every` keeps no more than a state for each so many steps and computes the rest anew in the
    backward pass. `products` is the dtype of the matrix products. With an `index`, (rows,), the inputs are a
    table of distinct rows, each projected once; for that there is no backward pass. `tap` is given dLoss/dh
    of all rows, (rows, directions * output_size), in every backward pass.
    """

    cell: Cell
    steps: Sequence[int]
    reverse: Tensor | None = None
    outputs: bool = True
    checkpoint_every: int | None = None
    products: torch.dtype = torch.float32
    index: Tensor | None = None
    tap: Callable[[Tensor], None] | None = None

    def spans(self) -> Iterator[Span]:
        """Cut the time steps into blocks."""
        first = end = size_before = 0
        sizes: list[int] = []
        for number, size in enumerate(self.steps, start=1):
            sizes.append(size)
            end += size
            full = len(sizes) == self.checkpoint_every if self.checkpoint_every else end - first >= BLOCK_ROWS
            if full or number == len(self.steps):
                yield Span(slice(first, end), sizes, size_before)
                first, size_before, sizes = end, size, []

    @property
    def directions(self) -> int:
        """1, or 2 where there is a reverse one."""
        return 1 if self.reverse is None else 2

    def aligned(self, rows: Tensor, span: slice) -> Parts:
        """Give each direction its order: (rows, ...) to (rows of the span, ...) for each."""
        if self.reverse is None:
            return (rows[span],)
        return rows[span], rows.index_select(0, self.reverse[span])

    def summed(self, aligned: Tensor) -> Tensor:
        """Add the directions up in natural order: (directions, rows, features) to (rows, features)."""
        if self.reverse is None:
            return aligned[0]
        return aligned[0] + aligned[1].index_select(0, self.reverse)

    def projection(self, sweep: ForwardSweep, inputs: Tensor) -> Callable[[slice], Tensor]:
        """Return what gives the input's projection of the rows of a block, (directions, rows, features)."""
        if self.index is None:
            return lambda span: sweep.gates(self.aligned(inputs, span))
        index = self.index
        table = sweep.gates((inputs,) * self.directions).flatten(0, 1)
        firsts = len(inputs) * torch.arange(self.directions, device=index.device).unsqueeze(1)

        def looked_up(span: slice) -> Tensor:
            places = torch.stack(self.aligned(index, span)) + firsts
            return table.index_select(0, places.flatten()).view(*places.shape, -1)

        return looked_up

    def natural(self, aligned: Tensor) -> Tensor:
        """Bring outputs into order: (directions, rows, features) to (rows, directions * features)."""
        if self.reverse is None:
            return aligned[0]
        count = len(self.reverse)
        places = torch.stack(
            (torch.arange(count, device=self.reverse.device), self.reverse + count), dim=1
        ).flatten()
        # What is returned must be no view, or torch would forbid to change it in place.
        rows = aligned.new_empty(count, 2 * aligned.shape[2])
        torch.index_select(aligned.flatten(0, 1), 0, places, out=rows.view(2 * count, -1))
        return rows

    def directed(self, rows: Tensor) -> Tensor:
        """Undo `natural`, in memory of its own."""
        if self.reverse is None:
            return rows[None].clone()
        count = len(self.reverse)
        places = torch.cat((2 * torch.arange(count, device=self.reverse.device), 2 * self.reverse + 1))
        return rows.reshape(2 * count, -1).index_select(0, places).view(2, count, -1)


def run_packed(
    how: PackedPass, inputs: Tensor, weights: Sequence[LayerWeights], state: Parts, mask: Tensor | None = None
) -> tuple[Tensor | None, Parts]:
    """Map packed rows (rows, input_size) to (rows, directions * output_size), and the state to the last one.

    There are weights for each direction. State parts have shape (directions, sequences, size), the longest
    sequence first; all of `steps[0]` sequences have at least one row. `mask`, (directions, sequences,
    output_size), multiplies h on its way into the recurrent product only. Second derivatives raise
    RuntimeError.
    """
    tensors = (*chain.from_iterable(weights), *state)
    if torch.is_grad_enabled():
        output, *final = PackedLayer.apply(  # type: ignore[no-untyped-call,unused-ignore]
            how, inputs, mask, *tensors
        )
    else:
        output, *final = _forward(how, inputs, mask, tensors).results
    return output, tuple(final)


class Passed(NamedTuple):
    """What a forward pass has made."""

    how: PackedPass
    output: Tensor | None
    """Each direction's outputs in its own order, (directions, rows, output_size), or (rows, output_size)."""
    final: Parts
    kept: list[Parts]
    """What the backward pass needs of each block."""

    @property
    def results(self) -> tuple[Tensor | None, ...]:
        """The output in natural order, where it is asked for, and the parts of the final state."""
        if self.output is None or not self.how.outputs:
            return None, *self.final
        return self.output if self.how.reverse is None else self.how.natural(self.output), *self.final


def _forward(
    how: PackedPass, inputs: Tensor, mask: Tensor | None, tensors: Sequence[Any], *, keep: bool = False
) -> Passed:
    """Run all blocks; keep what a backward pass needs only where there will be one."""
    weights, state = _parted(how, tensors)
    sweep = ForwardSweep(how.cell, weights, mask, how.products)
    sweep.begin(state)
    all_kept = list[Parts]()
    rows, size = sum(how.steps), state[0].shape[-1]
    whole = None
    if keep or how.outputs:
        # No view either, for one direction: it is what is returned.
        whole = state[0].new_empty((rows, size) if how.reverse is None else (2, rows, size))
    gates_of = how.projection(sweep, inputs)
    for span in how.spans():
        start = tuple(part.clone() for part in state[1:]) if keep else ()
        gates = gates_of(span.rows)
        if whole is None:
            output = gates.new_empty(*gates.shape[:2], size)
        else:
            output = whole.view(-1, rows, size)[:, span.rows]
        kept, state = sweep.walk(gates, state, output, span.sizes)
        if keep:
            all_kept.append(start if how.checkpoint_every else start + kept)
    return Passed(how, whole, sweep.finish(state), all_kept)


class PackedLayer(torch.autograd.Function):
    """The forward and the backward pass of one layer."""

    @staticmethod
    def forward(
        ctx: Any, how: PackedPass, inputs: Tensor, mask: Tensor | None, *tensors: Any
    ) -> tuple[Tensor | None, ...]:
        """Run all blocks; keep what the backward pass needs, where anything takes a gradient."""
        passed = _forward(how, inputs, mask, tensors, keep=any(ctx.needs_input_grad))
        ctx.how, ctx.counts = how, [len(parts) for parts in passed.kept]
        ctx.save_for_backward(inputs, mask, passed.output, *tensors, *chain.from_iterable(passed.kept))
        ctx.set_materialize_grads(False)
        return passed.results

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *grad_final: Tensor | None) -> tuple[Any, ...]:
        """Run all blocks from the last to the first."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the packed kernel has no second derivatives (create_graph=True); kernel 'torch' has them"
            )
        if ctx.how.index is not None:
            raise RuntimeError("a table of distinct rows is for prediction: it has no gradient")
        saved, how = SavedForward(ctx), ctx.how
        grads = saved.output_grads(grad_output)
        final = tuple(
            torch.zeros_like(part) if grad is None else grad.clone()
            for grad, part in zip(grad_final, saved.state, strict=True)
        )
        sweep = BackwardSweep(how.cell, saved.weights, saved.mask, how.products, final)
        grad_inputs = None
        if ctx.needs_input_grad[1]:
            grad_inputs = saved.inputs.new_empty(how.directions, *saved.inputs.shape)
        for number, span in reversed(list(enumerate(how.spans()))):
            inputs = how.aligned(saved.inputs, span.rows)
            block = saved.block(number, span, inputs)
            factors = how.cell.factors(block)
            sweep.walk(factors, grads[:, span.rows], span.sizes)
            sweep.collect(factors, block, inputs, span.sizes)
            if saved.projects:
                sweep.collect_projection(grads[:, span.rows], block.output)
            if grad_inputs is not None:
                sweep.inputs(factors, grad_inputs[:, span.rows])
        if how.tap:
            how.tap(how.natural(grads))
        sums, initial = sweep.finish()
        grads_of_weights = chain.from_iterable(sums)
        return (
            None,
            None if grad_inputs is None else how.summed(grad_inputs),
            None,
            *grads_of_weights,
            *initial,
        )


class SavedForward:
    """What a forward pass has left for the backward pass."""

    def __init__(self, ctx: Any) -> None:
        self.how: PackedPass = ctx.how
        self.inputs, self.mask, output, *rest = ctx.saved_tensors
        self.output: Tensor = output.view(-1, *output.shape[-2:])
        blocks = len(rest) - sum(ctx.counts)
        self.weights, self.state = _parted(self.how, rest[:blocks])
        self.projects = self.weights[0].projection is not None
        parts = iter(rest[blocks:])
        self.saved = [tuple(islice(parts, count)) for count in ctx.counts]

    @cached_property
    def sweep(self) -> ForwardSweep:
        """What computes blocks anew, the weights prepared once for all of them."""
        return ForwardSweep(self.how.cell, self.weights, self.mask, self.how.products)

    def output_grads(self, grads: Tensor | None) -> Tensor:
        """Return the gradient of the aligned output, as memory that may be written to."""
        if grads is None:
            return torch.zeros_like(self.output)
        return self.how.directed(grads)

    def block(self, number: int, span: Span, inputs: Parts) -> Block:
        """Return what is known of a block, computed anew where no more than its first state was kept."""
        others = len(self.state) - 1
        start = (self._before(span), *self.saved[number][:others])
        kept, output = self.saved[number][others:], self.output[:, span.rows]
        if self.how.checkpoint_every:
            sweep = self.sweep
            sweep.begin(start)
            kept, _ = sweep.walk(sweep.gates(inputs), start, torch.empty_like(output), span.sizes)
        before = (
            previous(first, steps, span.sizes)
            for first, steps in zip(start, (output, *kept[:others]), strict=True)
        )
        return Block(kept, kept[-1] if self.projects else output, tuple(before))

    def _before(self, span: Span) -> Tensor:
        """Return h before the first step of a block, of the sequences alive then."""
        first: int = span.rows.start
        return self.output[:, first - span.size_before : first] if first else self.state[0]


def _parted(how: PackedPass, tensors: Sequence[Tensor]) -> tuple[list[LayerWeights], Parts]:
    """Part the weights of each direction from the state."""
    count = how.directions * WEIGHTS
    weights = [LayerWeights(*tensors[first : first + WEIGHTS]) for first in range(0, count, WEIGHTS)]
    return weights, tuple(tensors[count:])
