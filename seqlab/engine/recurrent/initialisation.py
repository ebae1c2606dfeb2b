"""Initial weights of recurrent layers: the cures for vanishing gradients that act before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

__all__ = ["RecurrentInit", "initialise"]

LSTM_FORGET_GATE = 1
"""The forget gate is the second of torch's four stacked gates (input, forget, cell, output)."""


@dataclass(frozen=True)
class RecurrentInit:
    """How recurrent weights begin.

    `recurrent`: `uniform` is torch's own, in +-1/sqrt(hidden_size); `orthogonal` draws an orthogonal matrix
    per gate (Saxe et al. 2014); `identity` starts each gate from the identity with zero biases, for ReLU
    networks (Le, Jaitly and Hinton 2015). `forget_bias` sets the total bias of LSTM forget gates
    (Jozefowicz et al. 2015).
    """

    recurrent: Literal["uniform", "orthogonal", "identity"] = "uniform"
    forget_bias: float | None = None


@torch.no_grad()
def initialise(layer: nn.RNNBase, init: RecurrentInit) -> None:
    """Set the weights of one torch recurrent layer."""
    hidden_size = layer.hidden_size
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh") and init.recurrent != "uniform":
            for gate in torch.split(parameter, hidden_size):
                nn.init.orthogonal_(gate) if init.recurrent == "orthogonal" else nn.init.eye_(gate)
        if name.startswith("bias") and init.recurrent == "identity":
            parameter.zero_()
        if name.startswith("bias") and init.forget_bias is not None:
            value = init.forget_bias if name.startswith("bias_ih") else 0.0
            torch.split(parameter, hidden_size)[LSTM_FORGET_GATE].fill_(value)
