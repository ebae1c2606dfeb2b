"""The built-in encoders that know no order: `bag` and `mean`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from seqlab.api import Component, Config, Declaration, EncoderContext

if TYPE_CHECKING:
    from seqlab.api import Encoder

__all__ = [
    "COMPONENTS",
    "BagConfig",
    "MeanConfig",
]


class MeanConfig(Config):
    """One row for each sequence, the mean of its rows: no order is left."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the rows."""


class BagConfig(MeanConfig):
    """One row for each sequence, the sum of its rows: no order is left."""

    scale: Literal["sum", "root"] = "sum"
    """`root` divides the sum by the root of the number of rows, so that long sequences weigh less."""


def _bag(config: BagConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.core.encoders.order_free import Bag

    return Bag(context.input_size, scale=config.scale, dropout=config.dropout)


def _mean(config: MeanConfig, context: EncoderContext) -> Encoder:
    from seqlab.builtin.core.encoders.order_free import Bag

    return Bag(context.input_size, scale="mean", dropout=config.dropout)


def _pooling(config: MeanConfig) -> Declaration:
    return Declaration(keeps_length=False, carries_state=False)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="bag",
        config=BagConfig,
        build=_bag,
        declares=_pooling,
        summary="the sum of the rows: one, without order",
    ),
    Component(
        name="mean",
        config=MeanConfig,
        build=_mean,
        declares=_pooling,
        summary="the mean of the rows: one, without order",
    ),
)
