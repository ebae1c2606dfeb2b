"""Ragged batches in the packed, time-major layout: the one type through which all sequences travel.

Sequences of unequal lengths are stored without padding, as torch's `PackedSequence` stores them: all first
steps of the longest-first sorted sequences, then all second steps, and so on. Pointwise work (embedding,
linear, dropout, loss) runs on these rows, so nothing is ever computed on padding and padding can never
change an answer. The sorting stays inside: what comes back is in the caller's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

__all__ = ["Layout", "RepeatedRows", "Sequences"]

ORDINARY = torch.inference_mode(mode=False)
"""Index tensors are kept: made in inference mode, they could not serve a later backward pass."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the rows of a ragged batch stand.

    `lengths` holds the integer length of each sequence in the caller's order (0 allowed) and `order` the
    sequences from the longest to the shortest; both stay on the CPU. The index tensors derived from them
    live on `device`. Raises ValueError where lengths are not a 1-d tensor of integers, none below 0.
    """

    lengths: Tensor
    order: Tensor
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.lengths.dim() != 1 or self.lengths.dtype != torch.int64:
            raise ValueError(
                f"lengths must be a 1-d int64 tensor, got {self.lengths.dtype} of shape"
                f" {tuple(self.lengths.shape)}"
            )
        if self.lengths.numel() and int(self.lengths.min()) < 0:
            raise ValueError(f"lengths must be at least 0, got {int(self.lengths.min())}")

    @classmethod
    def of(cls, lengths: Tensor | Sequence[int]) -> Self:
        """Make the layout of sequences of these lengths."""
        lengths = torch.as_tensor(lengths, device="cpu")
        # An empty list has no type of its own; any other numbers than integers are refused, not cut off.
        if not (lengths.is_floating_point() and lengths.numel()):
            lengths = lengths.to(torch.int64)
        return cls(lengths, torch.argsort(lengths, descending=True, stable=True))

    def to(self, device: torch.device) -> Layout:
        """Return the layout with its index tensors on `device`, one for all columns that share this one."""
        if device == self.device:
            return self
        return self._derived.setdefault(device, Layout(self.lengths, self.order, device))

    def __len__(self) -> int:
        return self.lengths.numel()

    @cached_property
    def total(self) -> int:
        """The number of rows."""
        return int(self.lengths.sum())

    @cached_property
    def longest(self) -> int:
        """The number of time steps."""
        return int(self.lengths.max()) if len(self) else 0

    @cached_property
    @ORDINARY
    def batch_sizes(self) -> Tensor:
        """How many sequences are alive at each step, shape (longest,), on the CPU as torch wants it."""
        ended = torch.bincount(self.lengths, minlength=self.longest + 1)
        return len(self) - ended.cumsum(0)[: self.longest]

    @cached_property
    @ORDINARY
    def alive(self) -> Tensor:
        """Indices of the non-empty sequences, longest first."""
        count = int(self.batch_sizes[0]) if self.longest else 0
        return self.order[:count].to(self.device)

    @cached_property
    @ORDINARY
    def times(self) -> Tensor:
        """The time step of each row, shape (rows,)."""
        return _repeated(torch.arange(self.longest), self.batch_sizes).to(self.device)

    @cached_property
    @ORDINARY
    def ranks(self) -> Tensor:
        """How many sequences stand before that of each row at its step, shape (rows,), on the CPU."""
        firsts = self.batch_sizes.cumsum(0) - self.batch_sizes
        return torch.arange(self.total) - _repeated(firsts, self.batch_sizes)

    @cached_property
    @ORDINARY
    def items(self) -> Tensor:
        """The sequence that each row belongs to, in the caller's numbering, shape (rows,)."""
        return self.order[self.ranks].to(self.device)

    @cached_property
    @ORDINARY
    def flat(self) -> Tensor:
        """For each row its place when all sequences stand one after another, shape (rows,)."""
        starts = (self.lengths.cumsum(0) - self.lengths).to(self.device)
        return starts[self.items] + self.times

    @cached_property
    @ORDINARY
    def rows(self) -> Tensor:
        """The inverse of `flat`: for each place of the concatenation its row, shape (rows,)."""
        rows = torch.empty_like(self.flat)
        rows[self.flat] = torch.arange(self.total, device=self.device)
        return rows

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """`batch_sizes` as plain integers."""
        return tuple(self.batch_sizes.tolist())

    @cached_property
    @ORDINARY
    def reverse(self) -> Tensor:
        """The row at each row's place when every sequence is reversed within its length, shape (rows,)."""
        return self.rows[self._ends[self.items] - self.times]

    @cached_property
    @ORDINARY
    def lasts(self) -> Tensor:
        """The last row of each sequence that is not empty, longest first."""
        return self.rows[self._ends[self.alive]]

    @property
    def _ends(self) -> Tensor:
        """Where each sequence ends when all stand one after another; one before its start if it is empty."""
        return (self.lengths.cumsum(0) - 1).to(self.device)

    @property
    def rectangular(self) -> bool:
        """Whether all sequences that are not empty have one length."""
        return self.total > 0 and self.steps[0] == self.steps[-1]

    def chunk(self, start: int, stop: int) -> Layout:
        """Return the layout of time steps `start` to `stop`; sequences that ended before keep length 0.

        It is one for all columns that share this one.
        """
        if (known := self._derived.get((start, stop))) is not None:
            return known
        lengths = (self.lengths.clamp(max=stop) - start).clamp(min=0)
        return self._derived.setdefault((start, stop), Layout(lengths, self.order, self.device))

    @cached_property
    def _derived(self) -> dict[torch.device | tuple[int, int], Layout]:
        """The same layout on other devices, and the chunks of this one."""
        return {}


def _repeated(values: Tensor, counts: Tensor) -> Tensor:
    """Return torch.repeat_interleave on the CPU by numpy: torch wakes all threads, even for a few numbers."""
    return torch.from_numpy(np.repeat(values.numpy(), counts.numpy()))


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of sequences: `data` of shape (rows, *feature) in packed order, and its `layout`.

    Raises ValueError where data and layout disagree on the number of rows.
    """

    data: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        if self.data.shape[0] != self.layout.total:
            raise ValueError(
                f"data has {self.data.shape[0]} rows, but the lengths add up to {self.layout.total}"
            )

    @classmethod
    def from_flat(cls, flat: Tensor, lengths: Tensor | Sequence[int]) -> Self:
        """Take sequences that stand one after another in `flat`, shape (rows, *feature)."""
        layout = Layout.of(lengths).to(flat.device)
        if flat.shape[0] != layout.total:
            raise ValueError(f"flat data has {flat.shape[0]} rows, but the lengths add up to {layout.total}")
        return cls(flat[layout.flat], layout)

    @classmethod
    def from_list(cls, sequences: Sequence[Tensor]) -> Self:
        """Take tensors of shape (time, *feature), one a sequence; at least one of them."""
        return cls.from_flat(torch.cat(list(sequences)), [len(sequence) for sequence in sequences])

    @classmethod
    def from_padded(cls, padded: Tensor, lengths: Tensor | Sequence[int]) -> Self:
        """Take a padded tensor of shape (batch, time, *feature); what lies behind a length is ignored."""
        layout = Layout.of(lengths).to(padded.device)
        if len(layout) != padded.shape[0] or layout.longest > padded.shape[1]:
            raise ValueError(
                f"padded data of shape {tuple(padded.shape)} cannot hold {len(layout)} sequences"
                f" of up to {layout.longest} steps"
            )
        return cls(padded[layout.items, layout.times], layout)

    @property
    def lengths(self) -> Tensor:
        """The length of each sequence in the caller's order, shape (sequences,), on the CPU."""
        return self.layout.lengths

    @property
    def distinct(self) -> Tensor:
        """The rows, or a table of those that there are, (distinct, *feature)."""
        return self.data

    @property
    def final(self) -> Tensor:
        """The last row of each sequence in the caller's order, (sequences, *feature); 0 where it is empty."""
        rows = self.data
        lasts = rows.new_zeros(len(self), *rows.shape[1:])
        return lasts.index_copy(0, self.layout.alive, rows[self.layout.lasts])

    def __len__(self) -> int:
        return len(self.layout)

    def with_data(self, data: Tensor) -> Sequences:
        """Return other rows, shape (rows, *any), in the same layout."""
        return Sequences(data, self.layout)

    def to(self, device: torch.device) -> Sequences:
        """Return the batch on another device."""
        return Sequences(self.data.to(device, non_blocking=True), self.layout.to(device))

    def to_flat(self) -> Tensor:
        """Return the sequences one after another in the caller's order, shape (rows, *feature)."""
        return self.data[self.layout.rows]

    def to_list(self) -> list[Tensor]:
        """Return one tensor of shape (time, *feature) per sequence, in the caller's order."""
        return list(torch.split(self.to_flat(), self.lengths.tolist()))

    def to_padded(self, fill: float = 0.0) -> Tensor:
        """Return a padded view, shape (batch, time, *feature), with `fill` behind each length."""
        shape = (len(self), self.layout.longest, *self.data.shape[1:])
        padded = self.data.new_full(shape, fill)
        padded[self.layout.items, self.layout.times] = self.data
        return padded

    def mask(self) -> Tensor:
        """Return True where `to_padded` holds a row, shape (batch, time)."""
        steps = torch.arange(self.layout.longest, device=self.data.device)
        return steps < self.lengths.to(self.data.device)[:, None]

    def packed(self) -> PackedSequence:
        """Return torch's view of the same rows (non-empty sequences only, longest first)."""
        return PackedSequence(self.data, self.layout.batch_sizes)

    def select(self, indices: Tensor) -> Sequences:
        """Return the sequences at `indices` (a CPU tensor), in that order."""
        layout = Layout.of(self.lengths[indices]).to(self.data.device)
        starts = (self.lengths.cumsum(0) - self.lengths)[indices].to(self.data.device)
        return Sequences(self.data[self.layout.rows[starts[layout.items] + layout.times]], layout)

    def expand(self, values: Tensor) -> Tensor:
        """Give each row its sequence's entry of `values`: (sequences, *any) to (rows, *any)."""
        return values[self.layout.items]

    def unbegun(self) -> Sequences:
        """Return the same sequences before their first step: all of them empty."""
        return Sequences(self.data[:0], self.layout.chunk(0, 0))

    def chunks(self, steps: int | None) -> Iterator[Sequences]:
        """Cut along time into pieces of `steps`; None yields the whole as one piece.

        A sequence that has ended stays in later pieces with length 0, so item numbers never shift. A piece
        is a slice of the rows: nothing is copied.
        """
        if steps is None or steps >= self.layout.longest:
            yield self
            return
        firsts = [0, *self.layout.batch_sizes.cumsum(0).tolist()]
        for start in range(0, self.layout.longest, steps):
            stop = min(start + steps, self.layout.longest)
            yield Sequences(self.data[firsts[start] : firsts[stop]], self.layout.chunk(start, stop))


class RepeatedRows(Sequences):
    """Sequences whose rows repeat those of a `table`, (distinct, *feature), as a word's features do.

    `rows` holds the place of each row in the table. What works row by row may work on the table instead;
    `data`, in which row i is `table[rows.data[i]]`, is made when it is asked for.
    """

    table: Tensor
    index: Tensor

    def __init__(self, table: Tensor, rows: Sequences) -> None:
        # The class is frozen, and `data` is not set: a cached property makes it.
        vars(self).update(table=table, index=rows.data, layout=rows.layout)

    @cached_property
    def data(self) -> Tensor:
        """The rows, shape (rows, *feature)."""
        return self.table[self.index]

    @property
    def distinct(self) -> Tensor:
        """The table."""
        return self.table
