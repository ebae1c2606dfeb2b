"""The encoder `window` for seqlab: a time-delay network (Waibel et al. 1989; Collobert et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from seqlab.api import Component, Config, Encoder, EncoderContext, hookimpl

__all__ = ["WINDOW", "WindowConfig", "seqlab_register_encoders"]


class WindowConfig(Config):
    """One layer over the features of a step and of its neighbours."""

    size: int = Field(default=2, ge=0)
    """Neighbours seen on each side of a step; zeros stand beyond the ends of a sequence."""
    hidden_size: int = Field(default=128, ge=1)
    """Units of the layer."""


def build(config: WindowConfig, context: EncoderContext) -> Encoder:
    """Make the encoder; torch is imported here, so that reading a recipe stays light."""
    from seqlab_window.network import WindowEncoder

    return WindowEncoder(context.input_size, config.hidden_size, config.size)


WINDOW = Component(
    name="window", config=WindowConfig, build=build, summary="time-delay network over a window of features"
)


@hookimpl
def seqlab_register_encoders() -> Iterable[Component[WindowConfig]]:
    """Return the encoder."""
    return [WINDOW]
