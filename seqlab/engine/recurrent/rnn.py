"""The simple recurrent cell: h = tanh(W x + U h' + b), or relu (Elman 1990)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from seqlab.engine.recurrent.cells import Block, Factors, Parts, doubled_tanh_

__all__ = ["ReluCell", "TanhCell"]


class TanhCell:
    """Keeps nothing: the derivative 1 - h^2 follows from the output."""

    scale: ClassVar[tuple[float, ...]] = (2.0,)
    shift: ClassVar[int] = 0

    def begin(self, gates: Tensor, hidden_bias: Tensor | None) -> tuple[Parts, Parts]:
        """See Cell."""
        return (), (gates,)

    def step(self, product: Tensor, state: Parts, views: Sequence[Tensor]) -> Parts:
        """See Cell."""
        gates, hidden = views
        doubled_tanh_(torch.add(product, gates, out=hidden))
        return (hidden,)

    def factors(self, block: Block) -> Factors:
        """See Cell."""
        slope = torch.addcmul(block.output.new_ones(()), block.output, block.output, value=-1)
        return Factors(slope, slope, (slope,))

    def back(self, grad: Tensor, state_grads: Parts, views: Sequence[Tensor]) -> None:
        """See Cell."""
        (slope,) = views
        slope.mul_(grad)

    def pass_on(self, carry: Tensor, grad: Tensor, views: Sequence[Tensor]) -> None:
        """See Cell; here is nothing besides."""


class ReluCell(TanhCell):
    """With the identity as initial recurrent weights, the IRNN of Le, Jaitly and Hinton (2015)."""

    scale: ClassVar[tuple[float, ...]] = (1.0,)

    def step(self, product: Tensor, state: Parts, views: Sequence[Tensor]) -> Parts:
        """See Cell."""
        gates, hidden = views
        torch.add(product, gates, out=hidden).relu_()
        return (hidden,)

    def factors(self, block: Block) -> Factors:
        """See Cell."""
        slope = (block.output > 0).to(block.output.dtype)
        return Factors(slope, slope, (slope,))
