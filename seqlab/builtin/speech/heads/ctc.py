"""Connectionist temporal classification: texts from states without knowing which belongs to which.

A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification: Labelling
Unsegmented Sequence Data with Recurrent Neural Networks" (2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import Alignment, Answer, Piece
from seqlab.builtin.speech.heads.agreement import Said
from seqlab.builtin.speech.heads.ctc_decoding import BLANK, Decoder, Greedy, UnitsRead
from seqlab.builtin.speech.heads.segments import confidence, joined
from seqlab.builtin.speech.heads.units import BytePairs, Units
from seqlab.engine import Column, SequenceDropout, Sequences

__all__ = ["CTC", "CTCHead"]

SAID = "_said"
"""The detail of an answer that holds its units; the head's own affair."""

NEVER = torch.iinfo(torch.int64).max
"""States that a target with an unknown unit needs: more than there ever are."""


class CTCHead:
    """The units of a `ctc` head."""

    default_metrics: tuple[str, ...] = ("wer", "cer")
    alignment: Alignment = "monotonic"

    def __init__(self, target: str, units: Units, *, dropout: float = 0.0, loss_weight: float = 1.0) -> None:
        self.target = target
        self.units = units
        self.dropout = dropout
        self.loss_weight = loss_weight

    def fit(self, values: Iterable[str]) -> None:
        """Learn the units."""
        self.units.fit(values)

    def state(self) -> dict[str, Any]:
        """Return what the units have learned."""
        return self.units.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.units.restore(state)

    def save(self, folder: Path) -> None:
        """Write the files of the units, where they have any."""
        if isinstance(self.units, BytePairs):
            self.units.save(folder)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        if isinstance(self.units, BytePairs):
            self.units.load(folder)

    def encode(self, values: Sequence[str]) -> Column:
        """Return the classes of the units, from 1, and -1 for a unit that training does not know."""
        return Column.of([self.units.encode(value) for value in values])

    def states_needed(self, values: Sequence[str]) -> list[int]:
        """Return the least number of states per text: its units, and a blank between two equal ones."""
        return [_needed(self.units.encode(value)) for value in values]

    def answers(self, outputs: UnitsRead) -> list[Answer]:
        """Return the text of each sequence with its confidence; a detail holds the units and their times."""
        return [
            Answer(self.units.decode(said.ids), confidence(said.probabilities), details={SAID: said})
            for said in outputs.said()
        ]

    def join(self, answers: Sequence[Answer | None], pieces: Sequence[Piece[Any]]) -> Answer:
        """Return the text of a sound whose pieces were answered one by one, with its segments."""
        said = [each.details[SAID] if each else Said() for each in answers]
        return joined(said, pieces, self.units.decode)

    def module(self, input_size: int) -> nn.Module:
        """Make the layer of units and blank."""
        return CTC(input_size, len(self.units.names), dropout=self.dropout, loss_weight=self.loss_weight)


def _needed(ids: Sequence[int]) -> int:
    return len(ids) + sum(first == second for first, second in pairwise(ids))


class CTC(nn.Module):
    """States to scores of the blank, class 0, and the units; the loss is divided by the number of units.

    A target with an unknown unit, and one that no path of so few states can spell, has no loss: it is left
    out, so that the loss is finite without anything being hidden.
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        *,
        dropout: float = 0.0,
        loss_weight: float = 1.0,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__()
        self.units = units
        self.dropout = SequenceDropout(dropout)
        self.project = nn.Linear(input_size, 1 + units)
        self.loss_weight = loss_weight
        self.decoder = decoder or Greedy()

    def log_probs(self, states: Sequences) -> Sequences:
        """Return the logarithms of the classes' probabilities, (rows, 1 + units), at least in fp32."""
        scores = self.project(self.dropout(states).data)
        exact = torch.promote_types(scores.dtype, torch.float32)
        return states.with_data(scores.log_softmax(dim=-1, dtype=exact))

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return the number of units in targets that have a loss."""
        return (target.mask().sum(dim=1) * self._spelt(target, lengths)).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed negative log-likelihood; states (rows, input_size), target classes (rows,).

        ValueError where states and targets differ in number, or a target on a CPU holds a class that there
        is not: torch would read outside the row.
        """
        self._check(states, target)
        log_probs = self.log_probs(states)
        if not states.layout.total:  # torch refuses a batch without a single state
            return log_probs.data.sum()
        fits = self._spelt(target, states.lengths)
        # Which targets fit is not asked of the device. Where one does not, another that does is put in its
        # place, two classes in turn, whose loss, always finite, is dropped.
        labels = target.to_padded(fill=BLANK)
        stand_in = torch.arange(labels.shape[1], device=labels.device) % 2
        labels = torch.where(fits[:, None], labels, stand_in)
        lengths = torch.minimum(target.lengths, states.lengths)
        padded = log_probs.to_padded().transpose(0, 1)
        if torch.are_deterministic_algorithms_enabled():  # on a GPU, the gradient of torch's is not
            padded, labels, fits = padded.cpu(), labels.cpu(), fits.cpu()
        losses = functional.ctc_loss(
            padded, labels, states.lengths, lengths, blank=BLANK, reduction="none", zero_infinity=False
        )
        return self.loss_weight * losses.where(fits, 0.0).sum().to(states.data.device)

    def answer(self, states: Sequences) -> UnitsRead:
        """Return the units that the decoder reads from the states."""
        return UnitsRead(*self.decoder.decode(self.log_probs(states)), states.lengths)

    def _spelt(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return which targets have a path through so many states, booleans of shape (sequences,)."""
        needed = self._needed(target)
        return needed <= lengths.to(needed.device, non_blocking=True)

    def _needed(self, target: Sequences) -> Tensor:
        """Return the least number of states per target, `NEVER` for unknown units, shape (sequences,)."""
        labels, there = target.to_padded(fill=BLANK), target.mask()
        known = ((labels > BLANK) & (labels <= self.units)) | ~there
        repeats = (labels[:, 1:] == labels[:, :-1]) & there[:, 1:]
        needed = there.sum(dim=1) + repeats.sum(dim=1)
        return needed.masked_fill(~known.all(dim=1), NEVER)

    def _check(self, states: Sequences, target: Sequences) -> None:
        if len(states) != len(target):
            raise ValueError(f"there are {len(target)} targets for {len(states)} sequences of states")
        if target.data.device.type == "cpu" and target.data.numel():
            highest = int(target.data.max())
            if highest > self.units:
                raise ValueError(f"a target holds class {highest}, but there are classes 0 to {self.units}")
