"""oneDNN's fused LSTM on a padded batch, made exact: no answer depends on padding.

Each direction runs forwards on its own, the reverse one on every sequence reversed within its length, so that
padding comes last everywhere. An input that is 1 on padding and 0 elsewhere drives the gates there: i and o
are 0 and f is 1, so c stays as it was after the last row, and no gradient enters or is lost on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from seqlab.engine.recurrent.cells import LayerWeights, Parts
from seqlab.engine.sequences import Layout, Sequences

__all__ = ["padding_share", "run_padded"]

SHUT = 1e4
"""Added to a gate before its sigmoid to open it, taken away to shut it: more than all else comes to."""

SPARE = 8
"""Inputs added, of which the first tells padding: rows of a size that matrix products like."""


def padding_share(layout: Layout) -> float:
    """Return which share of the padded batch of all sequences with rows is padding, from 0 to below 1."""
    return 1 - layout.total / (layout.longest * layout.steps[0])


def run_padded(inputs: Sequences, weights: Sequence[LayerWeights], state: Parts) -> tuple[Tensor, Parts]:
    """Map packed rows (rows, input_size) to (rows, directions * hidden_size), and the state to the last one.

    There are LSTM weights for each direction, without projection. State parts have shape (directions,
    sequences, hidden_size), the longest sequence first; every sequence has at least one row.
    """
    layout = inputs.layout
    count = layout.steps[0]
    rows = functional.pad(inputs.data, (0, SPARE))
    forwards = layout.times * count + layout.ranks.to(layout.device)
    outputs, finals = [], []
    for number, each in enumerate(weights):
        # Reversed twice a sequence is what it was: the same places serve on the way in and on the way out.
        places = forwards[layout.reverse] if number else forwards
        output, cell = _run(rows, each, tuple(part[number] for part in state), layout, places)
        last = output[:count] if number else output.index_select(0, layout.lasts)
        outputs.append(output)
        finals.append((last, cell))
    return torch.cat(outputs, dim=1), tuple(torch.stack(parts) for parts in zip(*finals, strict=True))


def _run(
    rows: Tensor, weights: LayerWeights, state: Parts, layout: Layout, places: Tensor
) -> tuple[Tensor, Tensor]:
    """Run one direction on (rows, input_size + SPARE); return its output in their order, and the last c.

    `places` says where in the padded batch, time by time, each row comes. State parts have shape (sequences,
    hidden_size).
    """
    count = layout.steps[0]
    padded = rows.new_zeros(layout.longest * count, rows.shape[1])
    padded[:, -SPARE] = 1
    padded = padded.index_copy(0, places, rows)
    signs = rows.new_tensor([-SHUT, SHUT, 0, -SHUT]).repeat_interleave(state[0].shape[1])
    on_padding = functional.pad(signs.unsqueeze(1), (0, SPARE - 1))
    flat = [torch.cat((weights.input, on_padding), dim=1), weights.hidden]
    flat += [weights.bias, torch.zeros_like(weights.bias)]
    start = [part.unsqueeze(0).contiguous() for part in state]
    training = torch.is_grad_enabled()
    output, _, cell = torch.lstm(
        padded.view(layout.longest, count, -1), start, flat, True, 1, 0.0, training, False, False
    )
    taken: Tensor = _Taken.apply(output.flatten(0, 1), places)  # type: ignore[no-untyped-call,unused-ignore]
    return taken, cell[0]


class _Taken(Function):
    """`rows.index_select(0, places)`, no place twice, so that gradients are put in place, not added up."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor) -> Tensor:
        """Return the rows (places,) of (rows, size)."""
        ctx.save_for_backward(places)
        ctx.shape = rows.shape
        return rows.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the rows: zero where none was taken."""
        (places,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.shape).index_copy_(0, places, gradient), None
