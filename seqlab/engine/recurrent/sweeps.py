"""The two loops over time: forwards through a block of steps, and backwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import Block, Cell, Factors, LayerWeights, Parts

__all__ = ["BackwardSweep", "ForwardSweep", "previous"]


class ForwardSweep:
    """Steps a cell forwards; `final` collects the state of each sequence when it has ended.

    `mask`, (directions, sequences, output_size), multiplies h on its way into the recurrent product. Matrix
    products are done in `products`, all else in the dtype of the weights.
    """

    def __init__(
        self, cell: Cell, weights: Sequence[LayerWeights], mask: Tensor | None, products: torch.dtype
    ) -> None:
        self.cell, self.mask, self.products = cell, mask, products
        width = len(weights[0].bias)
        scale = weights[0].bias.new_tensor(cell.scale).repeat_interleave(width // len(cell.scale))
        self.bias = torch.stack([each.bias for each in weights]).mul_(scale).unsqueeze(1)
        self.input = [(each.input * scale[:, None]).to(products).t() for each in weights]
        self.hidden = _transposed([each.hidden for each in weights]).mul_(scale).to(products)
        biases, projections = _given(each.hidden_bias for each in weights), _projections(weights)
        self.hidden_bias = torch.stack(biases).unsqueeze(1) if biases else None
        self.projection = _transposed(projections).to(products) if projections else None
        self.final: Parts = ()
        self._scratch = _Scratch(len(weights), width, self.hidden)

    def begin(self, state: Parts) -> None:
        """Prepare for as many sequences as the state has, (directions, sequences, size)."""
        self.final = tuple(part.new_empty(part.shape) for part in state)

    def gates(self, inputs: Parts) -> Tensor:
        """Project a block's inputs, (rows, input_size) each, to (directions, rows, gates * hidden_size)."""
        gates = self.bias.new_empty(len(inputs), len(inputs[0]), self.bias.shape[2])
        for rows, weight, out in zip(inputs, self.input, gates, strict=True):
            _multiply(rows, weight, out)
        return gates.add_(self.bias)

    def walk(self, gates: Tensor, state: Parts, output: Tensor, sizes: list[int]) -> tuple[Parts, Parts]:
        """Step through a block from `state`, write `output`; return what the block keeps and its last state.

        With a projection, the cell's own output is the last thing kept.
        """
        kept, views = self.cell.begin(gates, self.hidden_bias)
        if self.projection is not None:
            unprojected = gates.new_empty(*gates.shape[:2], self.projection.shape[1])
            kept, views = (*kept, unprojected), (*views, unprojected)
        for *seen, out in zip(*(torch.split(part, sizes, dim=1) for part in (*views, output)), strict=True):
            state = self._alive(state, out.shape[1])
            if self.projection is None:
                state = self.cell.step(self._product(state[0]), state, (*seen, out))
            else:
                raw, *others = self.cell.step(self._product(state[0]), state, seen)
                out.copy_(torch.bmm(raw.to(self.products), self.projection))
                state = (out, *others)
        return kept, state

    def finish(self, state: Parts) -> Parts:
        """Return the state after each sequence's last row."""
        self._alive(state, 0)
        return self.final

    def _alive(self, state: Parts, size: int) -> Parts:
        """Put the states of those that have ended away and return those of the first `size` sequences."""
        if size == state[0].shape[1]:
            return state
        for final, part in zip(self.final, state, strict=True):
            final[:, size : part.shape[1]] = part[:, size:]
        return tuple(part[:, :size] for part in state)

    def _product(self, hidden: Tensor) -> Tensor:
        size = hidden.shape[1]
        masked = hidden if self.mask is None else hidden * self.mask[:, :size]
        product = torch.bmm(masked.to(self.products), self.hidden, out=self._scratch.of(size))
        return product.to(hidden.dtype)


class BackwardSweep:
    """Steps a cell backwards, and sums the gradients of its weights.

    `state` is dLoss/d(state), complete for the steps that are done; it begins with that of the final state.
    """

    def __init__(
        self,
        cell: Cell,
        weights: Sequence[LayerWeights],
        mask: Tensor | None,
        products: torch.dtype,
        final: Parts,
    ) -> None:
        width, size = weights[0].hidden.shape
        self.cell, self.mask, self.products = cell, mask, products
        self.shift = cell.shift * width // len(cell.scale)
        self.hidden = torch.stack([_rolled(each.hidden, self.shift) for each in weights]).to(products)
        self.input = [each.input.to(products) for each in weights]
        projections = _projections(weights)
        self.projection = torch.stack(projections).to(products) if projections else None
        self.sums = [LayerWeights._make(map(_zeros, each)) for each in weights]
        self.state = final
        self._carry = final[0][:, :0]
        self._scratch = _Scratch(len(weights), size, self.hidden)

    def walk(self, factors: Factors, grads: Tensor, sizes: list[int]) -> None:
        """Step back through a block: complete dLoss/dh in `grads`, turn the factors into gradients."""
        parts = (grads, factors.to_hidden, *factors.views)
        others: Parts = ()
        for grad, to_hidden, *views in zip(
            *(reversed(torch.split(part, sizes, dim=1)) for part in parts), strict=True
        ):
            size = grad.shape[1]
            self._receive(grad)
            if not others or others[0].shape[1] != size:
                others = tuple(part[:, :size] for part in self.state[1:])
            self.cell.back(self._unprojected(grad), others, views)
            carry = torch.bmm(to_hidden.to(self.products), self.hidden, out=self._scratch.of(size))
            self._carry = carry.to(grad.dtype)
            if self.mask is not None:
                self._carry.mul_(self.mask[:, :size])
            self.cell.pass_on(self._carry, grad, views)

    def collect(self, factors: Factors, block: Block, inputs: Parts, sizes: list[int]) -> None:
        """Add what a block that was walked contributes to the gradients of the weights."""
        before = block.before[0]
        if self.mask is not None:
            before = before * torch.cat([self.mask[:, :size] for size in sizes], dim=1)
        parts = (self.sums, factors.to_input, factors.to_hidden, inputs, before)
        for sums, to_input, to_hidden, rows, hidden in zip(*parts, strict=True):
            self._add(sums.input, to_input, rows)
            self._add(sums.hidden, to_hidden, hidden)
            sums.bias.add_(to_input.sum(0))
            if sums.hidden_bias is not None:
                sums.hidden_bias.add_(to_hidden[:, : self.shift].sum(0))

    def inputs(self, factors: Factors, grads: Tensor) -> None:
        """Write the gradient of the inputs of a block that was walked, (directions, rows, input_size)."""
        for to_input, weight, out in zip(factors.to_input, self.input, grads, strict=True):
            _multiply(to_input, weight, out)

    def collect_projection(self, grads: Tensor, unprojected: Tensor) -> None:
        """Add what a block that was walked contributes to the projection's weights."""
        for sums, grad, rows in zip(self.sums, grads, unprojected, strict=True):
            assert sums.projection is not None
            self._add(sums.projection, grad, rows)

    def finish(self) -> tuple[list[LayerWeights], Parts]:
        """Return the gradients of each direction's weights and of the initial state."""
        sums = [each._replace(hidden=_rolled(each.hidden, -self.shift)) for each in self.sums]
        return sums, (self._carry, *self.state[1:])

    def _add(self, total: Tensor, grads: Tensor, rows: Tensor) -> None:
        """Add the rows' outer products of gradients and inputs to a sum that stays in full precision."""
        if self.products == total.dtype:
            total.addmm_(grads.t(), rows)
        else:
            total.add_(torch.mm(grads.t().to(self.products), rows.to(self.products)))

    def _unprojected(self, grad: Tensor) -> Tensor:
        if self.projection is None:
            return grad
        return torch.bmm(grad.to(self.products), self.projection).to(grad.dtype)

    def _receive(self, grad: Tensor) -> None:
        """Add to dLoss/dh of a step what comes from the step after it, or from the final state."""
        known, size = self._carry.shape[1], grad.shape[1]
        if known == size:
            grad.add_(self._carry)
            return
        grad[:, :known].add_(self._carry)
        grad[:, known:].add_(self.state[0][:, known:size])


class _Scratch:
    """One buffer for the products of all steps: a batched product is fastest into contiguous memory."""

    def __init__(self, directions: int, width: int, like: Tensor) -> None:
        self.directions, self.width = directions, width
        self.flat = like.new_empty(0)
        self.view = self.flat

    def of(self, size: int) -> Tensor:
        """Return (directions, size, width) of it; what it held is overwritten."""
        if self.view.dim() != 3 or self.view.shape[1] != size:
            count = self.directions * size * self.width
            if self.flat.numel() < count:
                self.flat = self.flat.new_empty(count)
            self.view = self.flat[:count].view(self.directions, size, self.width)
        return self.view


def previous(start: Tensor, block: Tensor, sizes: list[int]) -> Tensor:
    """Return for each row of a block the value one step earlier, (directions, rows, features).

    `start` is the value before the block's first step, of at least as many sequences.
    """
    earlier = (start, *torch.split(block, sizes, dim=1)[:-1])
    return torch.cat([each[:, :size] for each, size in zip(earlier, sizes, strict=True)], dim=1)


def _multiply(rows: Tensor, weight: Tensor, out: Tensor) -> None:
    """Write the product of rows and a weight, in the weight's dtype, to `out`."""
    if weight.dtype == out.dtype:
        torch.mm(rows, weight, out=out)
    else:
        out.copy_(torch.mm(rows.to(weight.dtype), weight))


def _transposed(weights: Sequence[Tensor]) -> Tensor:
    """Stack as (directions, columns, rows), contiguous, or each small product would transpose anew."""
    first = weights[0]
    stacked = first.new_empty(len(weights), *reversed(first.shape))
    for out, weight in zip(stacked, weights, strict=True):
        out.copy_(weight.t())
    return stacked


def _rolled(weight: Tensor, shift: int) -> Tensor:
    return torch.roll(weight, shift, dims=0) if shift else weight


def _given(parts: Iterable[Tensor | None]) -> list[Tensor]:
    return [part for part in parts if part is not None]


def _projections(weights: Sequence[LayerWeights]) -> list[Tensor]:
    return _given(each.projection for each in weights)


def _zeros(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else torch.zeros_like(weight)
