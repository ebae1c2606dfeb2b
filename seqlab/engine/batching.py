"""Data encoded once into flat arrays, and batches cut from them under a budget of tokens.

A batch is one gather per column; there is no per-token Python in the training loop. Batches hold sequences of
similar length. Which ones, and in which order, depends on the seed and the epoch only, so a run can be
resumed at any batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seqlab.engine.seeding import derived_seed
from seqlab.engine.sequences import Layout, Sequences

__all__ = ["Batch", "Budget", "Column", "Dataset", "Indexed", "distinct_rows", "plan_batches"]


@dataclass(frozen=True, eq=False)
class Indexed:
    """A batch column that points into a table: `rows` holds indices into the sequences of `items`.

    Each item that the batch uses stands in `items` once, however often it occurs: a word's characters are
    encoded once per batch.
    """

    rows: Sequences
    items: Sequences

    @property
    def layout(self) -> Layout:
        """The layout of the rows."""
        return self.rows.layout

    def to(self, device: torch.device) -> Indexed:
        """Return the batch column on another device."""
        return Indexed(self.rows.to(device), self.items.to(device))

    def unbegun(self) -> Indexed:
        """Return the same sequences before their first step: all of them empty."""
        first = torch.arange(min(1, len(self.items)))  # an item, for modules that must read one
        return Indexed(self.rows.unbegun(), self.items.select(first))

    def chunks(self, steps: int | None) -> Iterator[Indexed]:
        """Cut the rows along time; every piece has the items that it uses, off the CPU all of them.

        To count those in use, a GPU would have to be waited for.
        """
        for piece in self.rows.chunks(steps):
            if piece is self.rows or piece.layout.device.type != "cpu":
                yield Indexed(piece, self.items)
                continue
            used, rows = torch.unique(piece.data, return_inverse=True)
            yield Indexed(piece.with_data(rows), self.items.select(used))


def distinct_rows(
    columns: Sequence[Sequences | Indexed],
) -> tuple[list[Sequences | Indexed], Tensor] | None:
    """Return each distinct row of columns of integers once, as one sequence, and which of them each row is.

    Rows are distinct where they are so in any column. None where a column holds something else than integers.
    """
    ids = [column.rows.data if isinstance(column, Indexed) else column.data for column in columns]
    if any(each.dtype != torch.int64 or each.dim() != 1 or not len(each) for each in ids):
        return None
    index = torch.zeros_like(ids[0])
    for each in ids:
        # Numbered first, or ids of 64 bits would overflow the product.
        number = torch.unique(each, return_inverse=True)[1]
        index = torch.unique(index * (number.max() + 1) + number, return_inverse=True)[1]
    count = int(index.max()) + 1
    places = index.new_empty(count)
    places[index] = torch.arange(len(index), device=index.device)
    layout = Layout.of([count]).to(index.device)
    once = [Sequences(each[places], layout) for each in ids]
    return [
        Indexed(rows, column.items) if isinstance(column, Indexed) else rows
        for rows, column in zip(once, columns, strict=True)
    ], index


@dataclass(frozen=True, eq=False)
class Column:
    """One encoded field of many examples.

    `values` (rows, *feature) holds them one after another, `lengths` (items,) how long each is. With a
    `table`, the values are indices of the table's items, which are sequences themselves. Raises ValueError
    where the lengths do not add up to the rows.
    """

    values: Tensor
    lengths: Tensor
    table: Column | None = None

    def __post_init__(self) -> None:
        if int(self.lengths.sum()) != self.values.shape[0]:
            raise ValueError(
                f"a column of {self.values.shape[0]} rows cannot have lengths that add up to"
                f" {int(self.lengths.sum())}"
            )

    @classmethod
    def of(cls, items: Sequence[Sequence[int]], dtype: torch.dtype = torch.int64) -> Column:
        """Make a column of integer sequences."""
        flat = [value for item in items for value in item]
        lengths = torch.tensor([len(item) for item in items], dtype=torch.int64)
        return cls(torch.tensor(flat, dtype=dtype), lengths)

    @property
    def holds_integers(self) -> bool:
        """Whether the values are ids, not numbers that are measured."""
        return not self.values.is_floating_point()

    @cached_property
    def starts(self) -> Tensor:
        """The first row of each item, shape (items,)."""
        return self.lengths.cumsum(0) - self.lengths

    def select(self, indices: Tensor) -> Column:
        """Return the column of the examples at `indices`, in that order; a table stays whole."""
        lengths = self.lengths[indices]
        shifts = self.starts[indices] - (lengths.cumsum(0) - lengths)
        rows = torch.arange(int(lengths.sum())) + torch.repeat_interleave(shifts, lengths)
        return Column(self.values[rows], lengths, self.table)

    def gather(self, indices: Tensor, layout: Layout | None = None) -> Sequences | Indexed:
        """Collect the items at `indices`, in that order; `layout` saves working it out again."""
        layout = layout or Layout.of(self.lengths[indices])
        values = self.values[self.starts[indices][layout.items] + layout.times]
        if self.table is None:
            return Sequences(values, layout)
        used, rows = torch.unique(values, return_inverse=True)
        items = self.table.gather(used)
        if isinstance(items, Indexed):
            raise TypeError("a table of a table cannot be gathered")
        return Indexed(Sequences(rows, layout), items)


@dataclass(frozen=True)
class Batch:
    """Some examples ready for the model: feature columns, targets by head, and their indices in the data.

    `places` names the examples of the data.
    """

    features: tuple[Sequences | Indexed, ...]
    targets: Mapping[str, Sequences]
    indices: Tensor
    places: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """The number of tokens or frames."""
        return self.features[0].layout.total

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device; itself where it is there already."""
        if device.type == "cpu":
            return self
        features = tuple(column.to(device) for column in self.features)
        targets = {name: target.to(device) for name, target in self.targets.items()}
        return replace(self, features=features, targets=targets)

    def names(self) -> list[str]:
        """Return what to call the examples in a message."""
        return [_name(self.places, index) for index in self.indices.tolist()]

    def chunk_count(self, steps: int | None) -> int:
        """Return how many batches `chunks` yields."""
        return 1 if steps is None else max(-(-self.features[0].layout.longest // steps), 1)

    def chunks(self, steps: int | None) -> Iterator[Batch]:
        """Cut features and targets along time into batches of `steps` (see `Sequences.chunks`)."""
        if steps is None:
            yield self
            return
        features = zip(*(column.chunks(steps) for column in self.features), strict=True)
        targets = (target.chunks(steps) for target in self.targets.values())
        for piece, *cut in zip(features, *targets, strict=True):
            yield replace(self, features=piece, targets=dict(zip(self.targets, cut, strict=True)))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Encoded examples: one column per featurizer, one target column per head.

    `places` names each example in messages. Raises ValueError where the columns disagree on the number of
    examples, or the features on their lengths.
    """

    features: tuple[Column, ...]
    targets: Mapping[str, Column] = field(default_factory=dict)
    places: Sequence[str] = ()

    def __post_init__(self) -> None:
        sizes = {len(column.lengths) for column in (*self.features, *self.targets.values())}
        if len(sizes) != 1:
            raise ValueError(f"the columns of a data set must hold the same examples, got {sorted(sizes)}")
        if any(not torch.equal(column.lengths, self.lengths) for column in self.features[1:]):
            raise ValueError("the features of a data set must have equal lengths")

    @property
    def lengths(self) -> Tensor:
        """The length of each example, shape (examples,)."""
        return self.features[0].lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def name(self, index: int) -> str:
        """Return what to call an example in a message."""
        return _name(self.places, index)

    def unseen(self) -> dict[str, int]:
        """Return, per head, how many entries of targets are -1: the training split does not hold them.

        Only a target of integers holds ids; in one of numbers, -1 is a number.
        """
        ids = {name: column.values for name, column in self.targets.items() if column.holds_integers}
        counts = {name: int((values == -1).sum()) for name, values in ids.items()}
        return {name: count for name, count in counts.items() if count}

    def select(self, indices: Tensor) -> Dataset:
        """Return the data set of the examples at `indices`, in that order."""
        return Dataset(
            tuple(column.select(indices) for column in self.features),
            {name: column.select(indices) for name, column in self.targets.items()},
            [self.places[index] for index in indices.tolist()] if self.places else (),
        )

    def in_lanes(self, count: int) -> Dataset:
        """Return the examples as one stream, in their order, cut into `count` pieces as equal as can be.

        ValueError where there are fewer rows, or where a target has not one part for each row.
        """
        total = int(self.lengths.sum())
        if total < count:
            raise ValueError(f"{count} lanes need at least as many steps of data, there are {total}")
        for name, column in self.targets.items():
            if not torch.equal(column.lengths, self.lengths):
                raise ValueError(f"lanes cut targets along with the features, but {name!r} is not in step")
        lengths = torch.full((count,), total // count)
        lengths[: total % count] += 1
        starts = torch.searchsorted(self.lengths.cumsum(0), lengths.cumsum(0) - lengths, right=True)
        names = [self.name(index) for index in starts.tolist()]
        return Dataset(
            tuple(replace(column, lengths=lengths) for column in self.features),
            {name: replace(column, lengths=lengths) for name, column in self.targets.items()},
            [f"lane {number} (from {name})" for number, name in enumerate(names)],
        )

    def gather(self, indices: Tensor) -> Batch:
        """Make the batch of these examples, in this order."""
        layout = Layout.of(self.lengths[indices])
        features = tuple(column.gather(indices, layout) for column in self.features)
        targets = {}
        for name, column in self.targets.items():
            shared = layout if torch.equal(column.lengths[indices], layout.lengths) else None
            target = column.gather(indices, shared)
            assert isinstance(target, Sequences), "a target column has no table"
            targets[name] = target
        return Batch(features, targets, indices, self.places)


def _name(places: Sequence[str], index: int) -> str:
    return places[index] if places else f"example {index}"


@dataclass(frozen=True)
class Budget:
    """The size of a batch: at most `tokens` rows (one longer item stands alone) and `items` sequences."""

    tokens: int
    items: int | None = None

    def cut(self, order: Tensor, lengths: Tensor) -> Iterator[Tensor]:
        """Cut examples, in this order, into batches that keep the budget."""
        ends = lengths[order].cumsum(0).numpy()
        first, count = 0, len(order)
        while first < count:
            before = int(ends[first - 1]) if first else 0
            most = before + min(self.tokens, int(ends[-1]))  # no budget is too large for 64 bits
            stop = max(int(np.searchsorted(ends, most, side="right")), first + 1)
            if self.items is not None:
                stop = min(stop, first + self.items)
            yield order[first:stop]
            first = stop


def plan_batches(
    lengths: Tensor, budget: Budget, *, seed: int, epoch: int, jitter: float = 0.0
) -> list[Tensor]:
    """Cut a training epoch into batches of similar lengths, in random order.

    Examples are sorted by length, ties broken at random, cut under the budget, and the batches shuffled. With
    a `jitter`, lengths are moved before they are sorted, by up to this share of themselves and at least by up
    to one step, or most examples would meet the same ones in every epoch; the number of batches may then
    change from epoch to epoch. Returns one index tensor per batch; every example occurs exactly once.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "batches", epoch))
    shuffled = torch.randperm(len(lengths), generator=generator)
    sizes = lengths[shuffled]
    if jitter:
        moved = 2 * torch.rand(len(sizes), generator=generator, dtype=torch.float64) - 1
        sizes = sizes + (jitter * sizes).clamp(min=1) * moved
    batches = list(budget.cut(shuffled[torch.argsort(sizes, stable=True)], lengths))
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
