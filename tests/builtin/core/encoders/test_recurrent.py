from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from seqlab.api import EncoderContext, Sequences
from seqlab.builtin.core.encoders.components import LSTMConfig, RecurrentConfig, RNNConfig
from seqlab.builtin.core.encoders.recurrent import RecurrentEncoder
from seqlab.builtin.core.plugin import seqlab_register_encoders
from seqlab.engine.seeding import seeded

ENCODERS = {
    component.name: component
    for component in seqlab_register_encoders()
    if issubclass(component.config, RecurrentConfig)
}


def encoder(name: str, **config: Any) -> RecurrentEncoder:
    component = ENCODERS[name]
    with seeded(1):
        built = component.build(component.config(**({"hidden_size": 4} | config)), EncoderContext(3))
    assert isinstance(built, RecurrentEncoder)
    return built


def ones(*lengths: int) -> Sequences:
    return Sequences.from_flat(torch.ones(sum(lengths), 3), list(lengths))


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_names_say_what_is_built(name: str) -> None:
    made = encoder(name, num_layers=2)
    both = name.startswith("bi")
    assert made.stack.spec.bidirectional == both
    assert made.carries_state == (not both)
    assert made.output_size == (8 if both else 4)
    assert made.stack.spec.cell == {"rnn": "rnn_tanh"}.get(name.removeprefix("bi"), name.removeprefix("bi"))
    states, final = made(ones(5, 2))
    assert states.data.shape == (7, made.output_size)
    assert all(part.shape == (2, 4 if both else 2, 4) for part in final)


def test_settings_reach_the_stack() -> None:
    made = encoder("rnn", nonlinearity="relu", num_layers=2, dropout=0.25, recurrent_init="identity")
    spec = made.stack.spec
    assert (spec.cell, spec.dropout, spec.locked, spec.init.recurrent) == (
        "rnn_relu",
        0.25,
        False,
        "identity",
    )
    made = encoder("lstm", forget_bias=2.0, initial_state="learned", locked_dropout=True, input_dropout=0.1)
    spec = made.stack.spec
    assert (spec.init.forget_bias, spec.initial_state, spec.locked) == (2.0, "learned", True)
    assert made.before.locked
    assert made.after.locked
    assert encoder("gru").stack.spec.init.forget_bias is None


def test_input_and_output_dropout_stand_before_and_after_the_stack() -> None:
    batch = ones(30, 20)
    with seeded(1):
        before = encoder("gru", input_dropout=0.5)(batch)[0].data
        after = encoder("gru", output_dropout=0.5)(batch)[0].data
    assert (before == 0).sum() == 0
    share = float((after == 0).float().mean())
    assert share == pytest.approx(0.5, abs=0.15)
    kept = encoder("gru")(batch)[0].data * 2
    assert torch.allclose(after[after != 0], kept[after != 0])


def test_lengths_stay_as_they_are() -> None:
    lengths = torch.tensor([3, 0, 2])
    assert encoder("bilstm").output_lengths(lengths).tolist() == [3, 0, 2]


@pytest.mark.parametrize("config", [RecurrentConfig, RNNConfig, LSTMConfig])
def test_dropout_without_a_place_is_refused(config: type[RecurrentConfig]) -> None:
    with pytest.raises(ValidationError, match="dropout acts between layers and num_layers is 1"):
        config(dropout=0.1)
    with pytest.raises(
        ValidationError, match="locked_dropout needs an input_dropout, dropout or output_dropout"
    ):
        config(locked_dropout=True)
