"""The GRU cell (Cho et al. 2014) in torch's variant: the reset gate acts after the recurrent product.

r, z = sigmoid(W x + U h' + b) and n = tanh(W x + b + r (U h' + b')), each with weights of its own;
h = (1 - z) n + z h'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import (
    Block,
    Factors,
    Parts,
    doubled_tanh_,
    gates_of,
    sigmoid_slope,
    tanh_slope,
)

__all__ = ["GRUCell"]

GATES = 3


class GRUCell:
    """Keeps the three gates, and twice the recurrent product of the new gate, U h' + b'."""

    scale: ClassVar[tuple[float, ...]] = (1.0, 1.0, 2.0)
    shift: ClassVar[int] = 1

    def begin(self, gates: Tensor, hidden_bias: Tensor | None) -> tuple[Parts, Parts]:
        """See Cell."""
        assert hidden_bias is not None, "a GRU has one"
        r, z, n = gates_of(gates, GATES)
        pushed = (2 * hidden_bias).repeat(1, gates.shape[1], 1)
        both = gates[..., : 2 * n.shape[-1]]
        return (gates, pushed), (both, r, z, n, pushed)

    def step(self, product: Tensor, state: Parts, views: Sequence[Tensor]) -> Parts:
        """See Cell."""
        both, r, z, n, pushed, hidden = views
        both.add_(product[..., : both.shape[-1]]).sigmoid_()
        pushed.add_(product[..., both.shape[-1] :])
        doubled_tanh_(n.addcmul_(r, pushed))
        torch.lerp(n, state[0], z, out=hidden)
        return (hidden,)

    def factors(self, block: Block) -> Factors:
        """Return what dh is multiplied by for the product inside the reset gate, and for each gate.

        dh/dn = (1 - z) (1 - n^2)   dh/d(U h' + b') = dh/dn r   dh/dr = dh/dn (U h' + b') r (1 - r)
        dh/dz = (h' - n) z (1 - z)
        """
        gates, pushed, *_ = block.kept
        r, z, n = gates_of(gates, GATES)
        slopes = gates.new_empty(*z.shape[:2], 1 + GATES, z.shape[-1])
        for_product, for_r, for_z, for_n = slopes.unbind(2)
        tanh_slope(1 - z, n, grad_input=for_n)
        torch.mul(for_n, r, out=for_product)
        sigmoid_slope(for_n * pushed, r, grad_input=for_r).mul_(0.5)
        sigmoid_slope(block.before[0] - n, z, grad_input=for_z)
        to_hidden, to_input = slopes[:, :, :GATES].flatten(2), slopes[:, :, 1:].flatten(2)
        return Factors(to_input, to_hidden, (slopes, z))

    def back(self, grad: Tensor, state_grads: Parts, views: Sequence[Tensor]) -> None:
        """See Cell."""
        slopes, _ = views
        slopes.mul_(grad.unsqueeze(2))

    def pass_on(self, carry: Tensor, grad: Tensor, views: Sequence[Tensor]) -> None:
        """See Cell: h' is also part of h."""
        _, z = views
        carry.addcmul_(grad, z)
