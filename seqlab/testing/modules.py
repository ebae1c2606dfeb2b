"""What the checks of modules share: comparing, gradients, weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqlab.engine import Column, Indexed, Sequences

__all__ = ["assert_close", "check_gradients", "check_weights_round_trip", "gathered", "varied"]

TOLERANCE = 1e-5
"""Largest difference, absolute and relative, that summing in another order may make in fp32."""


def assert_close(found: Tensor, expected: Tensor, message: str) -> None:
    """Compare within TOLERANCE."""
    assert found.shape == expected.shape, (
        f"{message}: shape {tuple(found.shape)}, not {tuple(expected.shape)}"
    )
    assert torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE), (
        f"{message}: differs by up to {float((found - expected).detach().abs().max()):.3g}"
    )


def varied(module: nn.Module) -> nn.Module:
    """Return the module in evaluation mode with every parameter moved, so that no zero hides a fault."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return module.eval()


def check_gradients(module: nn.Module, loss: Callable[[], Tensor]) -> None:
    """Check that every parameter gets a gradient, a finite one, not one that is zero everywhere."""
    module.zero_grad()
    loss().backward()  # type: ignore[no-untyped-call]
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"
        assert parameter.grad.abs().sum() > 0, f"the gradient of {name} is zero everywhere"


def check_weights_round_trip(
    module: nn.Module, fresh: nn.Module, answer: Callable[[nn.Module], Tensor]
) -> None:
    """Check that `fresh`, built anew, answers like the module once it has taken its state dict.

    It must not be a copy: what a module keeps outside its state dict would be copied along.
    """
    fresh.load_state_dict(module.state_dict())
    assert_close(answer(fresh.eval()), answer(module), "after a round trip through the state dict the answer")


def gathered(column: Column, indices: list[int]) -> Sequences | Indexed:
    """Return a batch of these items of a column."""
    return column.gather(torch.tensor(indices, dtype=torch.int64))
