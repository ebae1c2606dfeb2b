"""The activations that encoders offer, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

__all__ = ["ACTIVATIONS"]

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
