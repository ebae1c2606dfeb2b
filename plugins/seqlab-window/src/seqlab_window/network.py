"""The time-delay network: each state is computed from the features of a step and of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from seqlab.api import Sequences, State

__all__ = ["WindowEncoder"]


class WindowEncoder(nn.Module):
    """The state of step t is tanh(W [x(t - size); ...; x(t + size)] + b); lengths stay as they are."""

    carries_state = False  # a state needs features of the chunk that follows

    def __init__(self, input_size: int, hidden_size: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.output_size = hidden_size
        self.linear = nn.Linear((2 * size + 1) * input_size, hidden_size)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, None]:
        """Map (rows, input_size) to (rows, output_size); there is no state to return."""
        with_zeros = pad(inputs.data, (0, 0, 0, 1))
        windows = with_zeros.index_select(0, neighbours(inputs, self.size).flatten())
        states = torch.tanh(self.linear(windows.view(-1, self.linear.in_features)))
        return inputs.with_data(states), None

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the lengths unchanged."""
        return lengths


def neighbours(inputs: Sequences, size: int) -> Tensor:
    """Return the numbers of the rows around each row, shape (rows, 2 * size + 1).

    Beyond the ends of a sequence it is the number of rows, one more than the last row has.
    """
    layout = inputs.layout
    offsets = torch.arange(-size, size + 1, device=layout.device)
    times = layout.times[:, None] + offsets
    lengths = inputs.expand(inputs.lengths.to(layout.device))[:, None]
    # In packed order the steps of one sequence are far apart; in flat order they are next to each other.
    places = layout.flat[:, None] + offsets
    places = torch.where((times >= 0) & (times < lengths), places, layout.total)
    return pad(layout.rows, (0, 1), value=layout.total)[places]
