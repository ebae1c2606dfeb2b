"""The built-in encoders: RNN, LSTM and GRU, reading forwards or both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from seqlab.api import Component, Config, EncoderContext, hookimpl

if TYPE_CHECKING:
    from seqlab.api import Encoder
    from seqlab.engine import CellKind

__all__ = ["LSTMConfig", "RNNConfig", "RecurrentConfig", "seqlab_register_encoders"]


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
    initial_state: Literal["zeros", "learned"] = "zeros"
    """State before the first step."""
    recurrent_init: Literal["uniform", "orthogonal", "identity"] = "uniform"
    """Initial recurrent weights: torch's own uniform ones, an orthogonal matrix per gate, or the identity."""
    kernel: Literal["auto", "packed", "torch"] = "auto"
    """What computes: seqlab's packed kernel, torch's own modules, or the faster one for device and batch."""
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
        if self.kernel == "torch" and (self.recurrent_dropout or self.checkpoint_every):
            raise ValueError("recurrent_dropout and checkpoint_every need kernel 'packed' or 'auto'")
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


def _build(config: RecurrentConfig, context: EncoderContext, *, cell: CellKind, both: bool) -> Encoder:
    from seqlab.builtin.encoders.recurrent import RecurrentEncoder
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


@hookimpl
def seqlab_register_encoders() -> Iterable[Component[Any]]:
    """Return the built-in encoders."""
    return [
        Component(name="rnn", config=RNNConfig, build=_rnn, summary="simple recurrent network, forwards"),
        Component(name="lstm", config=LSTMConfig, build=_lstm, summary="LSTM, forwards"),
        Component(name="gru", config=RecurrentConfig, build=_gru, summary="GRU, forwards"),
        Component(
            name="birnn", config=RNNConfig, build=_birnn, summary="simple recurrent network, both ways"
        ),
        Component(name="bilstm", config=LSTMConfig, build=_bilstm, summary="LSTM, both ways"),
        Component(name="bigru", config=RecurrentConfig, build=_bigru, summary="GRU, both ways"),
    ]
