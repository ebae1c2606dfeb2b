"""The picture of gradient flow: one panel per recurrent layer and direction, one line per probe."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

PANEL_INCHES = (6.4, 4.0)
DPI = 100
LIGHTEST = 0.9
"""Where the colours of the lines end: what lies beyond is too light for a white ground."""
LEGEND_LINES = 8
"""Lines that the legend names; between them the colour tells the epoch."""


def draw(probes: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a PNG of all probes; needs matplotlib, and leaves its global state alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = len(probes[0]["layers"])
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width, height * panels), dpi=DPI, layout="constrained")
    axes = figure.subplots(panels, squeeze=False)[:, 0]
    for place, panel in enumerate(axes):
        _draw_panel(panel, probes, place)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _draw_panel(panel: Axes, probes: Sequence[Mapping[str, Any]], place: int) -> None:
    from matplotlib import colormaps

    last, colours = max(len(probes) - 1, 1), colormaps["viridis"]
    named = {round(number * last / (LEGEND_LINES - 1)) for number in range(LEGEND_LINES)}
    for number, probe in enumerate(probes):
        label = f"epoch {probe['epoch']}" if len(probes) <= LEGEND_LINES or number in named else None
        norms = _positive(probe["layers"][place]["norms"])
        panel.plot(norms, color=colours(LIGHTEST * number / last), label=label, linewidth=1.2)
    layer = probes[0]["layers"][place]
    # A logarithmic axis that has nothing to show would warn.
    if any(norm for probe in probes for norm in probe["layers"][place]["norms"]):
        panel.set_yscale("log")
    panel.set_title(f"{layer['stack']}, layer {layer['layer']}, {layer['direction']}")
    panel.set_xlabel("lag: steps back from the loss")
    panel.set_ylabel("mean norm of dLoss/dh")
    panel.grid(visible=True, alpha=0.3)
    panel.legend(fontsize="small")


def _positive(norms: Sequence[float | None]) -> list[float]:
    """Leave gaps where a norm is not finite, or 0, which a logarithm has no place for."""
    return [norm if norm else float("nan") for norm in norms]
