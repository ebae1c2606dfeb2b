"""The contract of encoders."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import Component, Encoder, EncoderContext
from seqlab.engine import Sequences
from seqlab.engine.seeding import seeded
from seqlab.testing.modules import assert_close, check_gradients, check_weights_round_trip, varied

__all__ = ["check_encoder"]

INPUT_SIZE = 5
LENGTHS = (9, 4, 12, 0, 7, 1)
CHUNK = 5
"""Shorter than half of LENGTHS and a divisor of none, so that sequences end inside and between chunks."""


@seeded(0)
def check_encoder(component: Component[Any], **config: Any) -> None:
    """Build an encoder and check its contract.

    - It gives a sequence, also one of one row or of none, the same states alone, in a batch and in another
      order.
    - It returns rows of `output_size` and, from any length, as many as `output_lengths` promises.
    - It answers the same twice in evaluation mode, and after a round trip of its weights and of what else it
      has learned from a pass in training mode.
    - It sends a finite gradient to every parameter and to its input.
    - Where `carries_state`, it gives the same states for chunks as for the whole.
    """
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(length, INPUT_SIZE, generator=generator) for length in LENGTHS]
    encoder = varied(_used(_build(component, config), inputs))
    whole = _states(encoder, inputs)
    contract = cast("Encoder", encoder)
    _check_lengths(encoder)
    _check_shapes(contract, whole)
    assert_close(torch.cat(_states(encoder, inputs)), torch.cat(whole), "asked twice, the encoder's states")
    _check_independence(encoder, inputs, whole)
    fresh = _build(component, config)
    check_weights_round_trip(encoder, fresh, lambda module: torch.cat(_states(module, inputs)))
    # An encoder may have no parameters.
    if next(encoder.parameters(), None) is not None:
        check_gradients(encoder, lambda: torch.cat(_states(encoder, inputs)).square().sum())
    _check_input_gradient(encoder, inputs)
    if contract.carries_state:
        _check_chunks(encoder, inputs, whole)


def _build(component: Component[Any], config: dict[str, Any]) -> nn.Module:
    encoder: nn.Module = component.build(component.config(**config), EncoderContext(INPUT_SIZE))
    return encoder


def _used(encoder: nn.Module, inputs: list[Tensor]) -> nn.Module:
    """Return the encoder after a pass in training mode, from which it may keep statistics."""
    with torch.no_grad():
        encoder.train()(Sequences.from_list(inputs))
    return encoder


def _states(encoder: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    states: Sequences = encoder(Sequences.from_list(inputs))[0]
    return states.to_list()


def _check_lengths(encoder: nn.Module) -> None:
    lengths = torch.arange(max(LENGTHS) + 1)
    promised = cast("Encoder", encoder).output_lengths(lengths)
    assert promised.dtype == torch.int64, f"output_lengths promises {promised.dtype}, not torch.int64"
    found = [len(states) for states in _states(encoder, [torch.zeros(n, INPUT_SIZE) for n in lengths])]
    assert found == promised.tolist(), (
        f"of lengths 0 to {max(LENGTHS)} come {found}, but output_lengths promises {promised.tolist()}"
    )


def _check_shapes(encoder: Encoder, whole: list[Tensor]) -> None:
    assert whole[0].shape[1] == encoder.output_size, (
        f"rows have size {whole[0].shape[1]}, but output_size is {encoder.output_size}"
    )


def _check_independence(encoder: nn.Module, inputs: list[Tensor], whole: list[Tensor]) -> None:
    for number, each in enumerate(inputs):
        alone = _states(encoder, [each])[0]
        assert_close(alone, whole[number], f"sequence {number} alone and in a batch: the states")
    backwards = _states(encoder, inputs[::-1])[::-1]
    assert_close(torch.cat(backwards), torch.cat(whole), "with the batch in another order the states")


def _check_input_gradient(encoder: nn.Module, inputs: list[Tensor]) -> None:
    leaf = inputs[0].clone().requires_grad_()
    torch.cat(_states(encoder, [leaf, *inputs[1:]])).square().sum().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None, "no gradient reaches the input"
    assert torch.isfinite(leaf.grad).all(), "the gradient of the input is not finite"


def _check_chunks(encoder: nn.Module, inputs: list[Tensor], whole: list[Tensor]) -> None:
    state = None
    pieces: list[list[Tensor]] = [[] for _ in inputs]
    for chunk in Sequences.from_list(inputs).chunks(CHUNK):
        states, state = encoder(chunk, state)
        for parts, piece in zip(pieces, states.to_list(), strict=True):
            parts.append(piece)
    for number, parts in enumerate(pieces):
        assert_close(
            torch.cat(parts), whole[number], f"sequence {number} in chunks and as a whole: the states"
        )
