"""From log-probabilities of units and blank, frame by frame, to answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from seqlab.builtin.speech.heads.agreement import Said
from seqlab.engine import Sequences

__all__ = ["BLANK", "Decoder", "Greedy", "UnitsRead"]

BLANK = 0
"""Class of the blank; units have the classes from 1."""


class UnitsRead(NamedTuple):
    """What a decoder reads from states: ids, the probability of each, the state that each was read from.

    `lengths` is the number of states of each sequence.
    """

    ids: Sequences
    probabilities: Sequences
    states: Sequences
    lengths: Tensor

    def said(self) -> Iterator[Said]:
        """Yield the units of each sequence; times are shares of the sequence, from 0 to 1."""
        ids, probabilities, states = (each.to_flat().tolist() for each in self[:3])
        start = 0
        for count, length in zip(self.ids.lengths.tolist(), self.lengths.tolist(), strict=True):
            end = start + count
            times = [(state + 0.5) / length for state in states[start:end]]
            yield Said(ids[start:end], probabilities[start:end], times)
            start = end


class Decoder(Protocol):
    """Chooses an answer for each sequence of frames."""

    def decode(self, log_probs: Sequences) -> tuple[Sequences, Sequences, Sequences]:
        """Return the ids of the answers, and for each its probability and its frame, shape (rows,).

        `log_probs` is of shape (frames, 1 + units), class `BLANK` first. Answers may be empty; frames are
        numbers from 0, the mean where a unit was read from several.
        """
        ...


class Greedy:
    """The best path: each frame's best class, repeats merged, blanks dropped (Graves et al. 2006, 3.2).

    The probability of an emitted unit is the mean of its class's over the frames that were merged into it.
    """

    def decode(self, log_probs: Sequences) -> tuple[Sequences, Sequences, Sequences]:
        """Return the units of the best path; no sequence's answer depends on another's."""
        best, classes = log_probs.data.max(dim=-1)
        best = log_probs.with_data(best).to_flat().exp()
        classes = log_probs.with_data(classes).to_flat()
        items = log_probs.with_data(log_probs.layout.items).to_flat()
        frames = log_probs.with_data(log_probs.layout.times).to_flat().to(best.dtype)
        begins = torch.ones_like(classes, dtype=torch.bool)
        begins[1:] = (classes[1:] != classes[:-1]) | (items[1:] != items[:-1])
        emitted = begins & (classes != BLANK)
        lengths = torch.bincount(items[emitted], minlength=len(log_probs)).cpu()
        ids = Sequences.from_flat(classes[emitted], lengths)
        means = (_means(each, begins)[emitted][ids.layout.flat] for each in (best, frames))
        probabilities, read = map(ids.with_data, means)
        return ids, probabilities, read


def _means(values: Tensor, begins: Tensor) -> Tensor:
    """Return for each place the mean over its run; runs begin where `begins` is true, also at the first."""
    runs = begins.cumsum(0) - 1
    sums = torch.zeros_like(values).index_add(0, runs, values)
    counts = torch.zeros_like(values).index_add(0, runs, torch.ones_like(values))
    return (sums / counts.clamp(min=1))[runs]
