"""The built-in encoders: recurrent ones, those that shorten sequences, and what stands between encoders."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from seqlab.api import Component, Config, Declaration, EncoderContext

if TYPE_CHECKING:
    from seqlab.api import Encoder
    from seqlab.engine import CellKind

__all__ = [
    "COMPONENTS",
    "Activation",
    "ConvSubsampleConfig",
    "LSTMConfig",
    "LinearConfig",
    "NormConfig",
    "PyramidConfig",
    "RNNConfig",
    "RecurrentConfig",
]


Activation: TypeAlias = Literal["relu", "gelu", "silu", "tanh"]


class RecurrentConfig(Config):
    """A stack of recurrent layers."""

    hidden_size: int = Field(default=256, ge=1)
    """Units per layer and direction."""
    num_layers: int = Field(default=1, ge=1)
    """Stacked layers."""
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on what the first layer reads."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout between layers; needs at least two."""
    output_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the last layer's states."""
    locked_dropout: bool = False
    """Draw one dropout mask per sequence and keep it over all its steps (of a chunk, with truncated BPTT)."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on h on its way into the recurrent product, one mask per sequence (and chunk, with `bptt`)."""
    weight_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the recurrent weights, one mask per batch or chunk (Merity, Keskar and Socher 2017)."""
    initial_state: Literal["zeros", "learned"] = "zeros"
    """State before the first step."""
    recurrent_init: Literal["uniform", "orthogonal", "identity"] = "uniform"
    """Initial recurrent weights: torch's own uniform ones, an orthogonal matrix per gate, or the identity."""
    kernel: Literal["auto", "native", "packed", "torch"] = "auto"
    """What computes: compiled loops, packed kernel, torch's modules, or the fastest for device and batch."""
    checkpoint_every: int | None = Field(default=None, ge=1)
    """Steps between the states kept for the backward pass, which computes the rest anew: less memory."""

    @model_validator(mode="after")
    def _dropout_has_a_place(self) -> Self:
        if self.dropout and self.num_layers == 1:
            raise ValueError(
                "dropout acts between layers and num_layers is 1; use input_dropout or output_dropout"
            )
        if self.locked_dropout and not (self.input_dropout or self.dropout or self.output_dropout):
            raise ValueError("locked_dropout needs an input_dropout, dropout or output_dropout above 0")
        return self

    @model_validator(mode="after")
    def _kernel_can_do_it(self) -> Self:
        if self.kernel == "native" and self.checkpoint_every:
            raise ValueError("checkpoint_every needs kernel 'packed' or 'auto'")
        if self.kernel == "torch" and (
            self.recurrent_dropout or self.weight_dropout or self.checkpoint_every
        ):
            raise ValueError(
                "recurrent_dropout, weight_dropout and checkpoint_every need kernel 'packed' or 'auto'"
            )
        return self


class RNNConfig(RecurrentConfig):
    """A stack of simple recurrent layers (Elman 1990)."""

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """Activation; `relu` with `recurrent_init: identity` is the IRNN of Le, Jaitly and Hinton (2015)."""


class LSTMConfig(RecurrentConfig):
    """A stack of long short-term memory layers (Hochreiter and Schmidhuber 1997)."""

    forget_bias: float | None = 1.0
    """Initial bias of the forget gates (Jozefowicz et al. 2015); torch's own initial biases when null."""
    proj_size: int = Field(default=0, ge=0)
    """Units that outputs are projected to (Sak, Senior and Beaufays 2014), below hidden_size; 0 for none."""

    @model_validator(mode="after")
    def _projection_is_smaller(self) -> Self:
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"proj_size must be below hidden_size ({self.hidden_size})")
        return self


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


def _build(config: RecurrentConfig, context: EncoderContext, *, cell: CellKind, both: bool) -> Encoder:
    from seqlab.builtin.core.encoders.recurrent import RecurrentEncoder
    from seqlab.engine import RecurrentInit, RecurrentSpec

    return RecurrentEncoder(
        RecurrentSpec(
            cell=cell,
            input_size=context.input_size,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=both,
            proj_size=getattr(config, "proj_size", 0),
            dropout=config.dropout,
            locked=config.locked_dropout,
            recurrent_dropout=config.recurrent_dropout,
            weight_dropout=config.weight_dropout,
            initial_state=config.initial_state,
            init=RecurrentInit(config.recurrent_init, getattr(config, "forget_bias", None)),
            kernel=config.kernel,
            checkpoint_every=config.checkpoint_every,
        ),
        input_dropout=config.input_dropout,
        output_dropout=config.output_dropout,
    )


def _rnn(config: RNNConfig, context: EncoderContext) -> Encoder:
    cell: CellKind = "rnn_relu" if config.nonlinearity == "relu" else "rnn_tanh"
    return _build(config, context, cell=cell, both=False)


def _birnn(config: RNNConfig, context: EncoderContext) -> Encoder:
    cell: CellKind = "rnn_relu" if config.nonlinearity == "relu" else "rnn_tanh"
    return _build(config, context, cell=cell, both=True)


def _lstm(config: LSTMConfig, context: EncoderContext) -> Encoder:
    return _build(config, context, cell="lstm", both=False)


def _bilstm(config: LSTMConfig, context: EncoderContext) -> Encoder:
    return _build(config, context, cell="lstm", both=True)


def _gru(config: RecurrentConfig, context: EncoderContext) -> Encoder:
    return _build(config, context, cell="gru", both=False)


def _bigru(config: RecurrentConfig, context: EncoderContext) -> Encoder:
    return _build(config, context, cell="gru", both=True)


def _conv_subsample(config: ConvSubsampleConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.core.encoders.conv_subsample import ConvSpec, ConvSubsample

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
    from seqlab.builtin.core.encoders.pyramid import Pyramid
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
    from seqlab.builtin.core.encoders.rowwise import RowEncoder
    from seqlab.engine.norm import SequenceBatchNorm, SequenceLayerNorm

    kind = SequenceBatchNorm if config.kind == "batch" else SequenceLayerNorm
    return RowEncoder(kind(context.input_size), context.input_size)


def _linear(config: LinearConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.core.encoders.rowwise import Projection, RowEncoder

    layer = Projection(context.input_size, config.hidden_size, config.activation, config.dropout)
    return RowEncoder(layer, config.hidden_size)


GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Matrices of a cell for each of its inputs."""


def _recurrent(config: RecurrentConfig, *, cell: str, both: bool) -> Declaration:
    size, directions = config.hidden_size, 1 + both
    weights = GATES[cell] * size * size * config.num_layers * directions
    return Declaration(keeps_length=True, carries_state=not both, weights=weights)


def _shortening(config: ConvSubsampleConfig) -> Declaration:
    return Declaration(keeps_length=False, carries_state=False, weights=config.hidden_size)


def _pyramidal(config: PyramidConfig) -> Declaration:
    size, directions = config.hidden_size, 1 + config.bidirectional
    weights = GATES[config.cell] * size * size * len(config.factors) * directions
    return Declaration(keeps_length={*config.factors} == {1}, carries_state=False, weights=weights)


def _rowwise(config: NormConfig) -> Declaration:
    return Declaration(keeps_length=True, carries_state=True)


def _projecting(config: LinearConfig) -> Declaration:
    return Declaration(keeps_length=True, carries_state=True, weights=config.hidden_size)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="rnn",
        config=RNNConfig,
        build=_rnn,
        declares=partial(_recurrent, cell="rnn", both=False),
        summary="simple recurrent network, forwards",
    ),
    Component(
        name="lstm",
        config=LSTMConfig,
        build=_lstm,
        declares=partial(_recurrent, cell="lstm", both=False),
        summary="LSTM, forwards",
    ),
    Component(
        name="gru",
        config=RecurrentConfig,
        build=_gru,
        declares=partial(_recurrent, cell="gru", both=False),
        summary="GRU, forwards",
    ),
    Component(
        name="birnn",
        config=RNNConfig,
        build=_birnn,
        declares=partial(_recurrent, cell="rnn", both=True),
        summary="simple recurrent network, both ways",
    ),
    Component(
        name="bilstm",
        config=LSTMConfig,
        build=_bilstm,
        declares=partial(_recurrent, cell="lstm", both=True),
        summary="LSTM, both ways",
    ),
    Component(
        name="bigru",
        config=RecurrentConfig,
        build=_bigru,
        declares=partial(_recurrent, cell="gru", both=True),
        summary="GRU, both ways",
    ),
    Component(
        name="conv_subsample",
        config=ConvSubsampleConfig,
        build=_conv_subsample,
        declares=_shortening,
        summary="strided convolutions over time and frequency: half or a quarter of the steps",
    ),
    Component(
        name="pyramid",
        config=PyramidConfig,
        build=_pyramid,
        declares=_pyramidal,
        summary="recurrent layers with fewer steps from layer to layer",
    ),
    Component(
        name="norm",
        config=NormConfig,
        build=_norm,
        declares=_rowwise,
        summary="layer or batch normalisation",
    ),
    Component(
        name="linear",
        config=LinearConfig,
        build=_linear,
        declares=_projecting,
        summary="a linear layer, with an activation",
    ),
)
