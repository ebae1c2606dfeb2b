"""Encoders that make fewer states than there are rows, and what stands between encoders in a stack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from seqlab.api import Component, Config, EncoderContext, hookimpl

if TYPE_CHECKING:
    from seqlab.api import Encoder
    from seqlab.engine import CellKind

__all__ = [
    "Activation",
    "ConvSubsampleConfig",
    "LinearConfig",
    "NormConfig",
    "PyramidConfig",
    "seqlab_register_encoders",
]

Activation: TypeAlias = Literal["relu", "gelu", "silu", "tanh"]


class ConvSubsampleConfig(Config):
    """Convolutions over time and frequency, each with stride 2 in both, then a projection.

    n rows become ceil(n / factor) states; a sequence of one row has one state. The features of a row are read
    as frequencies in order.
    """

    factor: Literal[2, 4] = 4
    """Rows per state: 2 is one convolution, 4 are two."""
    channels: int = Field(default=32, ge=1)
    """Channels of each convolution."""
    kernel_size: Literal[3, 5, 7] = 3
    """Rows and frequencies that a kernel covers."""
    activation: Activation = "relu"
    """Activation after each convolution."""
    hidden_size: int = Field(default=256, ge=1)
    """Size of the states, to which channels and frequencies are projected."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the states."""


class PyramidConfig(Config):
    """Recurrent layers with fewer states from layer to layer (Chan et al. 2016, "Listen, Attend and Spell").

    A layer with factor f reads f states of the layer below, joined, as one, and makes ceil(n / f) of n; where
    n is no multiple of f, the last one is repeated.
    """

    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    """Kind of the recurrent layers; `rnn` has the activation tanh."""
    factors: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)] = (1, 2, 2)
    """One number per layer, the first layer's first: how many rows it reads as one."""
    hidden_size: int = Field(default=256, ge=1)
    """Units per layer and direction."""
    bidirectional: bool = True
    """Read both ways."""
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on what the first layer reads."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout between layers; needs at least two."""
    output_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the last layer's states."""
    locked_dropout: bool = False
    """Draw one dropout mask per sequence and keep it over all its steps."""

    @model_validator(mode="after")
    def _dropout_has_a_place(self) -> Self:
        if self.dropout and len(self.factors) == 1:
            raise ValueError(
                "dropout acts between layers and factors makes one; use input_dropout or output_dropout"
            )
        if self.locked_dropout and not (self.input_dropout or self.dropout or self.output_dropout):
            raise ValueError("locked_dropout needs an input_dropout, dropout or output_dropout above 0")
        return self


class NormConfig(Config):
    """Normalisation of the rows, over real rows only: padding has no part in it."""

    kind: Literal["layer", "batch"] = "layer"
    """`layer`: each row by its own mean and variance (Ba et al. 2016).

    `batch`: each feature over the rows of a training batch (Ioffe and Szegedy 2015); evaluation and
    prediction use the running mean and variance of the training, so that no sequence depends on others.
    """


class LinearConfig(Config):
    """A linear layer on each row."""

    hidden_size: int = Field(default=256, ge=1)
    """Size of its output."""
    activation: Activation | None = None
    """Activation after it; none when null."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on its output."""


def _conv_subsample(config: ConvSubsampleConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.encoders.conv_subsample import ConvSpec, ConvSubsample

    spec = ConvSpec(
        input_size=context.input_size,
        hidden_size=config.hidden_size,
        num_layers={2: 1, 4: 2}[config.factor],
        channels=config.channels,
        kernel_size=config.kernel_size,
        activation=config.activation,
    )
    return ConvSubsample(spec, dropout=config.dropout)


def _pyramid(config: PyramidConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.encoders.pyramid import Pyramid
    from seqlab.engine import RecurrentInit, RecurrentSpec

    cell: CellKind = "rnn_tanh" if config.cell == "rnn" else config.cell
    spec = RecurrentSpec(
        cell=cell,
        input_size=context.input_size,
        hidden_size=config.hidden_size,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        locked=config.locked_dropout,
        init=RecurrentInit(forget_bias=1.0 if cell == "lstm" else None),  # as encoder lstm begins
    )
    return Pyramid(
        spec, config.factors, input_dropout=config.input_dropout, output_dropout=config.output_dropout
    )


def _norm(config: NormConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.encoders.rowwise import RowEncoder
    from seqlab.engine.norm import SequenceBatchNorm, SequenceLayerNorm

    kind = SequenceBatchNorm if config.kind == "batch" else SequenceLayerNorm
    return RowEncoder(kind(context.input_size), context.input_size)


def _linear(config: LinearConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.encoders.rowwise import Projection, RowEncoder

    layer = Projection(context.input_size, config.hidden_size, config.activation, config.dropout)
    return RowEncoder(layer, config.hidden_size)


@hookimpl
def seqlab_register_encoders() -> Iterable[Component[Any]]:
    """Return the encoders that shorten sequences, and norm and linear."""
    return [
        Component(
            name="conv_subsample",
            config=ConvSubsampleConfig,
            build=_conv_subsample,
            summary="strided convolutions over time and frequency: half or a quarter of the steps",
        ),
        Component(
            name="pyramid",
            config=PyramidConfig,
            build=_pyramid,
            summary="recurrent layers with fewer steps from layer to layer",
        ),
        Component(name="norm", config=NormConfig, build=_norm, summary="layer or batch normalisation"),
        Component(
            name="linear", config=LinearConfig, build=_linear, summary="a linear layer, with an activation"
        ),
    ]
