"""Fewer steps through strided convolutions over time and frequency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from seqlab.builtin.core.encoders.activations import ACTIVATIONS
from seqlab.engine import SequenceDropout, Sequences, State

__all__ = ["ConvSpec", "ConvSubsample"]


@dataclass(frozen=True, kw_only=True)
class ConvSpec:
    """Sizes of a `ConvSubsample`; every layer halves time and frequency, `kernel_size` is odd."""

    input_size: int
    hidden_size: int
    num_layers: int
    channels: int
    kernel_size: int
    activation: str


class ConvSubsample(nn.Module):
    """A row of features as frequencies: 2-d convolutions with stride 2, then a projection of what is left.

    A layer turns n steps into ceil(n / 2) and does the same to the frequencies: its kernel stands on steps 0,
    2, 4, ... and sees zeros beyond both ends. So no step is lost at either end, one step stays one and none
    none, and two layers make ceil(n / 4) states. The convolutions run on a padded view in which everything
    behind a sequence's end is zero before every layer, just as it is where the sequence is alone.
    """

    carries_state = False  # a kernel reads steps of the chunk that follows

    def __init__(self, spec: ConvSpec, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.output_size = spec.hidden_size
        channels = [1] + [spec.channels] * spec.num_layers
        self.convolutions = nn.ModuleList(
            nn.Conv2d(fewer, more, spec.kernel_size, stride=2, padding=spec.kernel_size // 2)
            for fewer, more in pairwise(channels)
        )
        self.activation = ACTIVATIONS[spec.activation]()
        frequencies = -(-spec.input_size // 2**spec.num_layers)
        self.project = nn.Linear(spec.channels * frequencies, spec.hidden_size)
        self.dropout = SequenceDropout(dropout)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, None]:
        """Map (rows, input_size) to (fewer rows, output_size); there is no state to return."""
        # torch refuses convolutions over no steps at all.
        none = inputs.data.new_empty(0, self.project.in_features)
        maps = self._maps(inputs) if inputs.layout.total else inputs.with_data(none)
        return self.dropout(maps.with_data(self.project(maps.data))), None

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return ceil(length / 2) once per layer, which is ceil(length / factor): integers, 0 only for 0."""
        for _ in self.convolutions:
            lengths = (lengths + 1) // 2
        return lengths

    def _maps(self, inputs: Sequences) -> Sequences:
        """Return what the last layer sees at each state, shape (rows, frequency * channels)."""
        # Channels last in memory, so that the convolutions give rows without another copy.
        maps = inputs.to_padded()[..., None].movedim(-1, 1)  # (batch, channel, time, frequency)
        mask = inputs.mask()[:, None, :, None]
        for number, convolution in enumerate(self._layers()):
            if number and not inputs.layout.rectangular:
                mask = mask[:, :, ::2]
                # All maps are finite, and a product is twice as fast as filling in zeros.
                maps = maps * mask.to(maps.dtype)
            maps = self.activation(convolution(maps))
        return Sequences.from_padded(maps.movedim(1, -1).flatten(2), self.output_lengths(inputs.lengths))

    def _layers(self) -> Iterator[nn.Conv2d]:
        return cast("Iterator[nn.Conv2d]", iter(self.convolutions))  # nn.ModuleList knows nn.Module only
