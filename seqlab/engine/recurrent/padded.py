"""oneDNN's fused LSTM on a padded batch, made exact: no answer depends on padding.

Each direction runs forwards on its own, the reverse one on every sequence reversed within its length, so that
padding comes last everywhere. An input that is 1 on padding and 0 elsewhere drives the gates there: i and o
are 0 and f is 1, so c stays as it was after the last row, and no gradient enters or is lost on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from seqlab.engine.recurrent.cells import Parts, Weights
from seqlab.engine.sequences import Layout, Sequences

__all__ = ["padding_share", "run_padded"]

SHUT = 1e4
"""Added to a gate before its sigmoid to open it, taken away to shut it: more than all else comes to."""

SPARE = 8
"""Inputs added, of which the first tells padding: rows of a size that matrix products like."""


def padding_share(layout: Layout) -> float:
    """Return which share of the padded batch of all sequences with rows is padding, from 0 to below 1."""
    return 1 - layout.total / (layout.longest * layout.steps[0])


def run_padded(
    inputs: Sequences, weights: Sequence[Weights], state: Parts, *, bidirectional: bool
) -> tuple[Tensor, Parts]:
    """Map packed rows (rows, input_size) to (rows, directions * hidden_size), and the state to the last one.

    There are LSTM weights for each direction, without projection. State parts have shape (directions,
    sequences, hidden_size), the longest sequence first; every sequence has at least one row.
    """
    layout = inputs.layout
    places = layout.times * layout.steps[0] + layout.ranks.to(layout.device)
    aligned = [inputs.data, inputs.data.index_select(0, layout.reverse)] if bidirectional else [inputs.data]
    outputs, finals = [], []
    for number, (rows, each) in enumerate(zip(aligned, weights, strict=True)):
        output, final = _run(rows, each, tuple(part[number] for part in state), layout, places)
        outputs.append(output.index_select(0, layout.reverse) if number else output)
        finals.append(final)
    return torch.cat(outputs, dim=1), tuple(torch.stack(parts) for parts in zip(*finals, strict=True))


def _run(
    rows: Tensor, weights: Weights, state: Parts, layout: Layout, places: Tensor
) -> tuple[Tensor, Parts]:
    """Run one direction forwards on rows in its own order; state parts (sequences, hidden_size)."""
    count = layout.steps[0]
    padded = rows.new_zeros(layout.longest * count, rows.shape[1] + SPARE)
    padded[:, rows.shape[1]] = 1
    padded = padded.index_copy(0, places, functional.pad(rows, (0, SPARE)))
    signs = rows.new_tensor([-SHUT, SHUT, 0, -SHUT]).repeat_interleave(state[0].shape[1])
    on_padding = functional.pad(signs.unsqueeze(1), (0, SPARE - 1))
    flat = [torch.cat((weights.input, on_padding), dim=1), weights.hidden]
    flat += [weights.bias, torch.zeros_like(weights.bias)]
    start = [part.unsqueeze(0).contiguous() for part in state]
    training = torch.is_grad_enabled()
    output, _, cell = torch.lstm(
        padded.view(layout.longest, count, -1), start, flat, True, 1, 0.0, training, False, False
    )
    output = output.flatten(0, 1).index_select(0, places)
    return output, (output.index_select(0, layout.lasts), cell[0])
