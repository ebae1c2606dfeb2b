"""Recurrent layers that read several states of the layer below as one: fewer steps, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from seqlab.engine import Layout, RecurrentSpec, RecurrentStack, SequenceDropout, Sequences, State, both_ends

__all__ = ["Pyramid", "stacked", "stacked_lengths"]


class Pyramid(nn.Module):
    """A pyramid of recurrent layers: layer i reads `factors[i]` consecutive rows joined into one.

    The pyramidal BiLSTM of Chan, Jaitly, Le and Vinyals, "Listen, Attend and Spell" (2016), has factors 1, 2,
    2, 2. `spec` describes each layer; its `input_size` is that of the features, its `dropout` acts between
    the layers, and its number of layers is ignored.
    """

    carries_state = False  # a chunk may end between rows that belong together

    def __init__(
        self,
        spec: RecurrentSpec,
        factors: Sequence[int],
        *,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.factors = tuple(factors)
        self.output_size = spec.output_size
        self.bidirectional = spec.bidirectional
        sizes = [spec.input_size] + [spec.output_size] * (len(self.factors) - 1)
        layer = replace(spec, num_layers=1, dropout=0.0)
        self.layers = nn.ModuleList(
            RecurrentStack(replace(layer, input_size=size * factor))
            for size, factor in zip(sizes, self.factors, strict=True)
        )
        between = [spec.dropout] * (len(self.factors) - 1)
        self.dropouts = nn.ModuleList(
            SequenceDropout(p, locked=spec.locked) for p in (input_dropout, *between, output_dropout)
        )

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, None]:
        """Map (rows, input_size) to (fewer rows, output_size); there is no state to return."""
        *before, after = self.dropouts
        for factor, dropout, layer in zip(self.factors, before, self.layers, strict=True):
            inputs, _ = layer(stacked(dropout(inputs), factor))
        return after(inputs), None

    def final(self, outputs: Sequences, before: Callable[[], Tensor]) -> Tensor:
        """Return the last state of each direction, (sequences, output_size)."""
        return both_ends(outputs) if self.bidirectional else outputs.final

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return ceil(length / factor), layer after layer: integers, 0 only for 0."""
        for factor in self.factors:
            lengths = stacked_lengths(lengths, factor)
        return lengths


def stacked(inputs: Sequences, factor: int) -> Sequences:
    """Join each `factor` consecutive rows into one: (rows, size) to (fewer rows, factor * size).

    Where a length is no multiple of the factor, the last row is repeated until it is, so none is lost.
    """
    if factor == 1:
        return inputs
    source = inputs.layout
    layout = Layout.of(stacked_lengths(source.lengths, factor)).to(source.device)
    starts, lasts = (
        each.to(source.device)[layout.items, None]
        for each in (source.lengths.cumsum(0) - source.lengths, source.lengths - 1)
    )
    times = layout.times[:, None] * factor + torch.arange(factor, device=source.device)
    rows = source.rows[starts + torch.minimum(times, lasts)]
    joined = inputs.data.index_select(0, rows.flatten())
    return Sequences(joined.view(layout.total, factor * inputs.data.shape[1]), layout)


def stacked_lengths(lengths: Tensor, factor: int) -> Tensor:
    """Return how many rows `stacked` makes: ceil(length / factor), shape (sequences,)."""
    return (lengths + factor - 1) // factor
