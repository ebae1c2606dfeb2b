from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from seqlab import Lab, RecipeError
from seqlab.api import Config, EncoderContext, Sequences
from seqlab.assembly import Assembly
from seqlab.builtin.core.encoders.components import (
    ConvSubsampleConfig,
    LinearConfig,
    NormConfig,
    PyramidConfig,
)
from seqlab.builtin.core.encoders.conv_subsample import ConvSubsample
from seqlab.builtin.core.encoders.pyramid import Pyramid
from seqlab.builtin.core.encoders.rowwise import RowEncoder
from seqlab.builtin.core.plugin import seqlab_register_encoders
from seqlab.engine import SequenceDropout
from seqlab.engine.norm import SequenceBatchNorm, SequenceLayerNorm
from seqlab.run import RunOptions

ENCODERS = {component.name: component for component in seqlab_register_encoders()}


def encoder(name: str, **config: Any) -> nn.Module:
    component = ENCODERS[name]
    made: nn.Module = component.build(component.config(**config), EncoderContext(10))
    return made


# --- settings ------------------------------------------------------------------------------------------


def test_settings_reach_the_convolutions() -> None:
    made = encoder(
        "conv_subsample", channels=3, kernel_size=5, hidden_size=7, activation="silu", dropout=0.25
    )
    assert isinstance(made, ConvSubsample)
    shapes = [tuple(each.shape) for each in made.convolutions.parameters()]
    assert shapes == [(3, 1, 5, 5), (3,), (3, 3, 5, 5), (3,)]
    assert isinstance(made.activation, nn.SiLU)
    assert (made.project.in_features, made.output_size, made.dropout.p) == (9, 7, 0.25)
    halved = encoder("conv_subsample", factor=2, channels=3)
    assert isinstance(halved, ConvSubsample)
    assert (len(halved.convolutions), halved.project.in_features, halved.output_size) == (1, 15, 256)


def test_settings_reach_the_pyramid() -> None:
    made = encoder(
        "pyramid",
        cell="rnn",
        factors=[2, 1, 3],
        hidden_size=5,
        bidirectional=False,
        input_dropout=0.1,
        dropout=0.2,
        output_dropout=0.3,
        locked_dropout=True,
    )
    assert isinstance(made, Pyramid)
    specs = [layer.spec for layer in made.layers]  # type: ignore[union-attr]
    assert [spec.input_size for spec in specs] == [20, 5, 15]  # type: ignore[union-attr]
    assert {(spec.cell, spec.hidden_size, spec.directions) for spec in specs} == {("rnn_tanh", 5, 1)}  # type: ignore[union-attr]
    dropouts = [each for each in made.dropouts if isinstance(each, SequenceDropout)]
    assert [each.p for each in dropouts] == [0.1, 0.2, 0.2, 0.3]
    assert all(each.locked for each in dropouts)


@pytest.mark.parametrize(("cell", "bias"), [("lstm", 1.0), ("gru", None), ("rnn", None)])
def test_a_pyramid_of_lstms_begins_as_an_lstm_does(cell: str, bias: float | None) -> None:
    made = encoder("pyramid", cell=cell)
    assert {layer.spec.init.forget_bias for layer in made.layers} == {bias}  # type: ignore[union-attr]
    assert made.output_size == 512


def test_settings_reach_norm_and_linear() -> None:
    layer, batch = encoder("norm"), encoder("norm", kind="batch")
    assert isinstance(layer, RowEncoder)
    assert isinstance(batch, RowEncoder)
    assert isinstance(layer.rowwise, SequenceLayerNorm)
    assert isinstance(batch.rowwise, SequenceBatchNorm)
    assert layer.output_size == batch.output_size == 10
    linear = encoder("linear", hidden_size=4, activation="tanh", dropout=0.25)
    assert linear.output_size == 4
    inside = [type(each) for each in linear.modules()][2:]
    assert inside == [nn.Linear, nn.Tanh, SequenceDropout]


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (ConvSubsampleConfig, {"factor": 3}, "Input should be 2 or 4"),
        (ConvSubsampleConfig, {"kernel_size": 4}, "Input should be 3, 5 or 7"),
        (ConvSubsampleConfig, {"activation": "swish"}, "Input should be 'relu', 'gelu', 'silu' or 'tanh'"),
        (PyramidConfig, {"factors": []}, "at least 1 item"),
        (PyramidConfig, {"factors": [1, 0]}, "greater than or equal to 1"),
        (PyramidConfig, {"factors": [1, 2.0]}, "valid integer"),
        (
            PyramidConfig,
            {"factors": [2], "dropout": 0.1},
            "dropout acts between layers and factors makes one",
        ),
        (PyramidConfig, {"locked_dropout": True}, "locked_dropout needs an input_dropout"),
        (NormConfig, {"kind": "group"}, "Input should be 'layer' or 'batch'"),
        (LinearConfig, {"hidden_size": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    config: type[Config], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**settings)


# --- in recipes ----------------------------------------------------------------------------------------


STACK = (
    "encoder=[{name: linear, hidden_size: 9, activation: relu}, {name: norm, kind: batch},"
    " {name: gru, hidden_size: 8}]"
)


def test_a_stack_with_batch_norm_learns_and_answers_alone_as_in_the_batch(
    lab: Lab, toy: Path, tmp_path: Path
) -> None:
    report = lab.run(toy, [STACK], RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert report["metrics"]["dev"]["accuracy"] > 0.8
    tagger = lab.open(tmp_path / "run/model", device="cpu")
    sentences = [["la", "katos", "kuras", "."], ["la"], ["la", "bela", "hundos", "vidas", "la", "domos", "."]]
    for one, together in zip(sentences, tagger.predict(sentences), strict=True):
        (alone,) = tagger.predict([one])
        assert alone.tags == together.tags
        assert alone.score == pytest.approx(together.score, abs=1e-5)


def test_a_run_with_batch_norm_resumes_with_its_statistics(lab: Lab, toy: Path, tmp_path: Path) -> None:
    """Interrupted after some steps and resumed, it ends with the weights and statistics of a whole run."""
    changes = [STACK, "train.epochs=3"]
    lab.run(toy, changes, RunOptions(out=tmp_path / "whole", device="cpu", threads=1))
    calls = iter(range(1000))
    options = RunOptions(out=tmp_path / "cut", device="cpu", threads=1, cancelled=lambda: next(calls) == 8)
    with pytest.raises(Exception, match="interrupted after step 9"):
        lab.run(toy, changes, options)
    lab.run(toy, changes, RunOptions(out=tmp_path / "cut", device="cpu", threads=1, resume=True))
    names = ("model/model.safetensors", "checkpoints/last.safetensors")
    whole, cut = ([(tmp_path / run / name).read_bytes() for name in names[:1]] for run in ("whole", "cut"))
    assert whole == cut


def test_sizes_and_lengths_follow_through_a_stack_for_speech(lab: Lab, toy: Path) -> None:
    stack = (
        "encoder=[{name: conv_subsample, factor: 2, channels: 3, hidden_size: 9}, norm,"
        " {name: pyramid, factors: [1, 2], hidden_size: 5}, {name: linear, hidden_size: 7}]"
    )
    recipe = lab._load(toy, [stack])
    assembly = Assembly(recipe, lab.registry)
    assembly.fit(assembly.read(recipe.paths["train"], "train"))
    model = assembly.model()
    assert model.encoder.output_size == 7
    inputs = Sequences.from_list([torch.randn(length, 20) for length in (9, 1, 4)])
    assert model.encoder(inputs)[0].lengths.tolist() == [3, 1, 1]


def test_problems_in_a_stack_have_their_places(lab: Lab, toy: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        lab.check(toy, ["encoder=[{name: conv_subsample, factor: 3}, {name: norm, sort: batch}, gru]"])
    found = str(caught.value)
    assert "encoder.0.factor: " in found
    assert "encoder.1: unknown key 'sort'" in found


@pytest.mark.parametrize(
    "stack", ["[conv_subsample, bilstm]", "{name: pyramid, factors: [1, 4], hidden_size: 5}"]
)
def test_tagging_is_refused_before_data_is_read_where_lengths_change(
    lab: Lab, toy: Path, tmp_path: Path, stack: str
) -> None:
    with pytest.raises(
        RecipeError, match=r"encoder\S* encoder \w+ changes the lengths, but head tagging needs one state for"
    ):
        lab.run(toy, [f"encoder={stack}"], RunOptions(out=tmp_path / "run", device="cpu", threads=1))
