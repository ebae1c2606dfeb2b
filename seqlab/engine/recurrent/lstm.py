"""The LSTM cell (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000).

i, f, o = sigmoid(W x + U h' + b) and g = tanh(W x + U h' + b), each with weights of its own; c = f c' + i g;
h = o tanh(c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import (
    MINUS_ONE,
    Block,
    Factors,
    Parts,
    doubled_tanh_,
    gates_of,
    sigmoid_slope,
    tanh_slope,
)

__all__ = ["LSTMCell"]

GATES = 4


class LSTMCell:
    """Keeps c, the four gates and tanh(c)."""

    scale: ClassVar[tuple[float, ...]] = (1.0, 1.0, 2.0, 1.0)
    shift: ClassVar[int] = 0

    def begin(self, gates: Tensor, hidden_bias: Tensor | None) -> tuple[Parts, Parts]:
        """See Cell."""
        directions, rows, width = gates.shape
        cells, squashed = gates.new_empty(2, directions, rows, width // GATES).unbind()
        return (cells, gates, squashed), (gates, *gates_of(gates, GATES), cells, squashed)

    def step(self, product: Tensor, state: Parts, views: Sequence[Tensor]) -> Parts:
        """See Cell."""
        gates, i, f, g, o, cells, squashed, hidden = views
        torch.sigmoid(torch.add(product, gates, out=product), out=gates)
        torch.add(MINUS_ONE, g, alpha=2, out=g)
        torch.mul(f, state[1], out=cells).addcmul_(i, g)
        doubled_tanh_(torch.add(cells, cells, out=squashed))
        torch.mul(o, squashed, out=hidden)
        return hidden, cells

    def factors(self, block: Block) -> Factors:
        """Return dh/dc = o (1 - tanh(c)^2), and what dc and dh are multiplied by for each gate.

        dc_t/di = g i (1 - i)   dc_t/df = c' f (1 - f)   dc_t/dg = i (1 - g^2)   dh_t/do = tanh(c) o (1 - o)
        """
        _, gates, squashed, *_ = block.kept
        i, f, g, o = gates_of(gates, GATES)
        slopes = torch.empty_like(gates)
        for_i, for_f, for_g, for_o = gates_of(slopes, GATES)
        sigmoid_slope(g, i, grad_input=for_i)
        sigmoid_slope(block.before[1], f, grad_input=for_f)
        tanh_slope(i, g, grad_input=for_g)
        sigmoid_slope(squashed, o, grad_input=for_o)
        to_cell = tanh_slope(o, squashed, grad_input=torch.empty_like(squashed))
        through_c = slopes.view(*gates.shape[:2], GATES, -1)[:, :, :3]
        return Factors(slopes, slopes, (through_c, for_o, to_cell, f))

    def back(self, grad: Tensor, state_grads: Parts, views: Sequence[Tensor]) -> None:
        """See Cell."""
        through_c, for_o, to_cell, f = views
        (cell,) = state_grads
        cell.addcmul_(grad, to_cell)
        through_c.mul_(cell.unsqueeze(2))
        for_o.mul_(grad)
        cell.mul_(f)

    def pass_on(self, carry: Tensor, grad: Tensor, views: Sequence[Tensor]) -> None:
        """See Cell; here is nothing besides."""
