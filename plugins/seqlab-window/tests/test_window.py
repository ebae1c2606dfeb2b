from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seqlab_window import WINDOW, WindowConfig

from seqlab import Lab
from seqlab.api import EncoderContext, Sequences
from seqlab.testing import check_encoder

RECIPE = Path(__file__).parents[1] / "window.yaml"


@pytest.mark.parametrize("size", [0, 1, 2, 20])
def test_it_keeps_the_contract_of_encoders(size: int) -> None:
    check_encoder(WINDOW, size=size, hidden_size=8)


@pytest.mark.parametrize("size", [0, 1, 2, 20])
def test_it_computes_what_a_loop_over_steps_computes(size: int) -> None:
    torch.manual_seed(1)
    encoder = WINDOW.build(WindowConfig(size=size, hidden_size=8), EncoderContext(input_size=3))
    sequences = [torch.randn(length, 3) for length in (4, 7, 0, 1, 7)]
    states, state = encoder(Sequences.from_list(sequences))
    assert state is None
    for found, steps in zip(states.to_list(), sequences, strict=True):
        for t in range(len(steps)):
            around = range(t - size, t + size + 1)
            window = [steps[s] if 0 <= s < len(steps) else torch.zeros(3) for s in around]
            expected = torch.tanh(encoder.linear.weight @ torch.cat(window) + encoder.linear.bias)
            torch.testing.assert_close(found[t], expected)


def test_its_recipe_has_no_problems() -> None:
    assert Lab().check(RECIPE).encoders[0].name == "window"
