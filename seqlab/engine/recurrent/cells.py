"""What a recurrent cell says of itself, so that the packed kernel can step it forwards and backwards.

Tensors carry the directions first: (directions, rows, features). A cell works on a block of consecutive time
steps; its per-step arithmetic is pointwise, in place, on views that were cut before the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.engine.recurrent.spec import RecurrentSpec

__all__ = [
    "Block",
    "Cell",
    "Factors",
    "LayerWeights",
    "Parts",
    "doubled_tanh_",
    "gates_of",
    "sigmoid_slope",
    "tanh_slope",
    "weights_of",
]

Parts: TypeAlias = tuple[Tensor, ...]

MINUS_ONE = torch.tensor(-1.0, device="cpu")

sigmoid_slope = torch.ops.aten.sigmoid_backward.grad_input
"""(a, s, grad_input=out): a * s * (1 - s) in one pass."""

tanh_slope = torch.ops.aten.tanh_backward.grad_input
"""(a, t, grad_input=out): a * (1 - t^2) in one pass."""


class LayerWeights(NamedTuple):
    """The weights of one direction of a layer, in torch's layout."""

    input: Tensor
    """(gates * hidden_size, input_size)"""
    hidden: Tensor
    """(gates * hidden_size, output_size)"""
    bias: Tensor
    """(gates * hidden_size,): all biases that are added to the input's projection"""
    hidden_bias: Tensor | None = None
    """(hidden_size,): a GRU's bias inside the product with its reset gate"""
    projection: Tensor | None = None
    """(proj_size, hidden_size), where the output is projected"""


def weights_of(layer: nn.RNNBase, spec: RecurrentSpec) -> list[LayerWeights]:
    """Return the layer's weights, direction by direction; in training some of the recurrent ones are 0."""
    drop = spec.weight_dropout if layer.training and torch.is_grad_enabled() else 0.0
    # A GRU's new gate has its hidden bias inside the product with the reset gate.
    inside = spec.hidden_size if spec.cell == "gru" else 0

    def direction(suffix: str) -> LayerWeights:
        bias, hidden = getattr(layer, "bias_hh" + suffix), getattr(layer, "weight_hh" + suffix)
        outside = functional.pad(bias[: len(bias) - inside], (0, inside))
        return LayerWeights(
            getattr(layer, "weight_ih" + suffix),
            functional.dropout(hidden, drop) if drop else hidden,
            getattr(layer, "bias_ih" + suffix) + outside,
            bias[-inside:] if inside else None,
            getattr(layer, "weight_hr" + suffix) if spec.proj_size else None,
        )

    return [direction(suffix) for suffix in ("_l0", "_l0_reverse")[: spec.directions]]


class Block(NamedTuple):
    """What the backward pass knows of consecutive steps, each tensor (directions, rows, features)."""

    kept: Parts
    """What `Cell.begin` kept, the state's parts other than h first."""
    output: Tensor
    """The cell's output h, before a projection."""
    before: Parts
    """The state one step before each row: (h,) or (h, c)."""


class Factors(NamedTuple):
    """A block's derivatives, computed in bulk; the backward loop turns them into gradients in place."""

    to_input: Tensor
    """(directions, rows, gates * hidden_size): becomes the gradient of the input's projection"""
    to_hidden: Tensor
    """(directions, rows, gates * hidden_size): becomes the gradient of the recurrent product"""
    views: Parts
    """What `Cell.back` is given step by step, each (directions, rows, ...)"""


class Cell(Protocol):
    """A cell's arithmetic. A state is (h,) or (h, c), each part (directions, sequences, size)."""

    scale: ClassVar[tuple[float, ...]]
    """Per gate, what its weights and biases are multiplied by: 2 where a tanh follows."""
    shift: ClassVar[int]
    """By how many gates the rows of the hidden weights are rolled in `Factors.to_hidden`."""

    def begin(self, gates: Tensor, hidden_bias: Tensor | None) -> tuple[Parts, Parts]:
        """Return what a block keeps for the backward pass, and what its steps see, cut step by step.

        `gates` is the input's projection, (directions, rows, gates * hidden_size); it may be overwritten.
        `hidden_bias` is (directions, 1, hidden_size).
        """
        ...

    def step(self, product: Tensor, state: Parts, views: Sequence[Tensor]) -> Parts:
        """Take one step: `product` is the recurrent product; the last of `views` is where the output goes."""
        ...

    def factors(self, block: Block) -> Factors:
        """Return a block's derivatives."""
        ...

    def back(self, grad: Tensor, state_grads: Parts, views: Sequence[Tensor]) -> None:
        """Turn one step's factors into gradients, from dLoss/d(output), now complete.

        `state_grads` are those of the state's other parts (c); they become those of the step before.
        """
        ...

    def pass_on(self, carry: Tensor, grad: Tensor, views: Sequence[Tensor]) -> None:
        """Add to `carry`, dLoss/dh of the step before, what h passes on besides the recurrent product."""
        ...


def doubled_tanh_(doubled: Tensor) -> Tensor:
    """Turn 2x into tanh(x) = 2 sigmoid(2x) - 1, in place: torch's tanh takes several times its sigmoid.

    The error is about one unit in the last place of 1, 6e-8 in fp32, also where tanh(x) itself is small.
    """
    doubled.sigmoid_()
    return torch.add(MINUS_ONE, doubled, alpha=2, out=doubled)


def gates_of(gates: Tensor, count: int) -> Parts:
    """Cut (directions, rows, count * hidden_size) into one view per gate."""
    return gates.view(*gates.shape[:-1], count, -1).unbind(-2)
