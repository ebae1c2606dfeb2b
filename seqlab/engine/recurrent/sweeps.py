"""The two loops over time: forwards through a block of steps, and backwards."""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import Block, Cell, Factors, Parts, Weights

__all__ = ["BackwardSweep", "ForwardSweep", "previous"]


class ForwardSweep:
    """Steps a cell forwards; `final` collects the state of each sequence when it has ended.

    `mask`, (directions, sequences, output_size), multiplies h on its way into the recurrent product. Matrix
    products are done in `products`, all else in the dtype of the weights.
    """

    def __init__(self, cell: Cell, weights: Weights, mask: Tensor | None, products: torch.dtype) -> None:
        directions, width, _ = weights.hidden.shape
        self.cell, self.mask, self.products = cell, mask, products
        scale = weights.bias.new_tensor(cell.scale).repeat_interleave(width // len(cell.scale))
        self.bias = (weights.bias * scale).unsqueeze(1)
        self.input = (weights.input * scale[:, None]).to(products).transpose(1, 2)
        self.hidden = _transposed((weights.hidden * scale[:, None]).to(products))
        self.hidden_bias = weights.hidden_bias
        self.projection = None if weights.projection is None else _transposed(weights.projection.to(products))
        self.final: Parts = ()
        self._scratch = _Scratch(directions, width, self.hidden)

    def begin(self, state: Parts) -> None:
        """Prepare for as many sequences as the state has, (directions, sequences, size)."""
        self.final = tuple(part.new_empty(part.shape) for part in state)

    def gates(self, inputs: Tensor) -> Tensor:
        """Project a block's inputs: (directions, rows, input_size) to (.., gates * hidden_size)."""
        product = torch.bmm(inputs.to(self.products), self.input)
        return product.to(self.bias.dtype).add_(self.bias)

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
        self, cell: Cell, weights: Weights, mask: Tensor | None, products: torch.dtype, final: Parts
    ) -> None:
        directions, width, size = weights.hidden.shape
        self.cell, self.weights, self.mask, self.products = cell, weights, mask, products
        self.shift = cell.shift * width // len(cell.scale)
        self.hidden = torch.roll(weights.hidden, self.shift, dims=1).to(products)
        self.input = weights.input.to(products)
        self.projection = None if weights.projection is None else weights.projection.to(products)
        self.sums = Weights(*(None if each is None else torch.zeros_like(each) for each in weights))  # type: ignore[arg-type]
        self.state = final
        self._carry = final[0][:, :0]
        self._scratch = _Scratch(directions, size, self.hidden)

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

    def collect(self, factors: Factors, block: Block, inputs: Tensor, sizes: list[int]) -> None:
        """Add what a block that was walked contributes to the gradients of the weights."""
        sums, hidden = self.sums, block.before[0]
        if self.mask is not None:
            hidden = hidden * torch.cat([self.mask[:, :size] for size in sizes], dim=1)
        self._add(sums.input, factors.to_input, inputs)
        self._add(sums.hidden, factors.to_hidden, hidden)
        sums.bias.add_(factors.to_input.sum(1))
        if sums.hidden_bias is not None:
            sums.hidden_bias.add_(factors.to_hidden[..., : self.shift].sum(1))

    def inputs(self, factors: Factors) -> Tensor:
        """Return the gradient of the inputs of a block that was walked, (directions, rows, input_size)."""
        return torch.bmm(factors.to_input.to(self.products), self.input)

    def collect_projection(self, grads: Tensor, unprojected: Tensor) -> None:
        """Add what a block that was walked contributes to the projection's weights."""
        assert self.sums.projection is not None
        self._add(self.sums.projection, grads, unprojected)

    def finish(self) -> tuple[Weights, Parts]:
        """Return the gradients of the weights and of the initial state."""
        hidden = torch.roll(self.sums.hidden, -self.shift, dims=1)
        return self.sums._replace(hidden=hidden), (self._carry, *self.state[1:])

    def _add(self, total: Tensor, grads: Tensor, rows: Tensor) -> None:
        """Add the rows' outer products of gradients and inputs to a sum that stays in full precision."""
        grads = grads.transpose(1, 2)
        if self.products == total.dtype:
            total.baddbmm_(grads, rows)
        else:
            total.add_(torch.bmm(grads.to(self.products), rows.to(self.products)))

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


def _transposed(weights: Tensor) -> Tensor:
    """Return (directions, columns, rows) in memory of its own, or each small product would transpose anew."""
    return torch.stack([each.t().contiguous() for each in weights])
