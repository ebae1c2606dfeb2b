"""Training examples as augmenters change them, another way in every epoch.

What an example becomes follows from the seed, the epoch and its own number: neither the batch that it stands
in, nor threads, nor where a run was resumed have a part in it, and nothing needs to be saved. Everything that
is planned by length (batches, feasibility, the number of steps) goes by the examples as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy import float32
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from seqlab.api import Augmenter, Example, FieldKind, RecipeError, SeqlabError, did_you_mean, one_of
from seqlab.assembly import Assembly
from seqlab.building import placed
from seqlab.contract import Values
from seqlab.engine import Batch, Column, Dataset, SequenceModel
from seqlab.engine.seeding import derived_seed
from seqlab.errors import ContractError
from seqlab.plugin import Part
from seqlab.plugin.kinds import IN_STEP
from seqlab.recipe.placement import Neighbours, misplacement
from seqlab.suggest import shown

__all__ = ["KEPT_BYTES", "Augmentation", "Kept", "check_augmenters"]

KEPT_BYTES = 1 << 30
"""What of the training split's values is kept in memory once it is read: 4.6 hours of sound at 16 kHz."""

FEATURES = "features"
"""The stage of augmenters that change frames; any other is the kind of field that they change."""


class Augmentation:
    """Makes batches of a recipe's training examples, augmented: the `augment` of a `TrainingJob`.

    Values are changed and encoded anew, then frames are changed. An example that would be left with fewer
    states than its target needs, or with columns of unequal lengths, stays in that epoch as it is.

    RecipeError where an augmenter cannot change the frames that the featurizers make: each is tried on those
    of the first example. PluginError, with plugin and example, where an augmenter breaks its contract.
    """

    def __init__(
        self, assembly: Assembly, model: SequenceModel, examples: Sequence[Example], data: Dataset
    ) -> None:
        self.seed = assembly.recipe.train.seed
        self.examples = examples
        self.data = data
        self.featurizers = assembly.featurizers
        self.model = model
        self.needed = _most(len(examples), assembly.states_needed(examples).values())
        self.kinds = assembly.inputs
        self.kept = Kept(KEPT_BYTES)
        steps = _steps(assembly)
        self.frame_steps = [step for step in steps if step.augmenter.stage == FEATURES]
        self.value_steps = {
            field: own
            for field, kind in sorted(self.kinds.items())
            if (own := [step for step in steps if step.augmenter.stage == kind.name])
        }
        among = _neighbours(assembly, data)
        for step in steps:
            _check_place(step, assembly, among)
            _check_columns(step, assembly, data)
        for step in self.frame_steps:
            self._try(step, assembly)

    def __call__(self, indices: Tensor, epoch: int) -> Batch:
        """Return the batch of these examples, in this order, as they are in this epoch."""
        numbers = indices.tolist()
        before = [column.select(indices) for column in self.data.features]
        after = [_pieces(column) for column in before]
        for field in self.value_steps:
            self._change_values(field, after, numbers, epoch)
        if self.frame_steps:
            self._change_frames(after, numbers, epoch)
        self._give_room(after, before, indices)
        features = tuple(map(_rejoined, after, before))
        targets = {name: column.select(indices) for name, column in self.data.targets.items()}
        batch = Dataset(features, targets).gather(torch.arange(len(numbers)))
        return replace(batch, indices=indices, places=self.data.places)

    def _change_values(self, field: str, after: list[list[Tensor]], numbers: list[int], epoch: int) -> None:
        """Put the encoding of changed values in the place of what the data holds."""
        values = ((place, self._value(field, number, epoch)) for place, number in enumerate(numbers))
        changed = {place: value for place, value in values if value is not None}
        for column, featurizer in zip(after, self.featurizers, strict=True):
            if changed and featurizer.field == field:
                examples = [self.examples[numbers[place]] for place in changed]
                encoded = _pieces(featurizer.encode(Values(list(changed.values()), examples)))
                for place, rows in zip(changed, encoded, strict=True):
                    column[place] = rows

    def _value(self, field: str, number: int, epoch: int) -> Any:
        """Return an example's value after all augmenters, None where each of them left it as it is."""
        example, kind = self.examples[number], self.kinds[field]
        original = kind.held(example.fields[field], partial(self.kept, (number, field)))
        value = original
        for step in self.value_steps[field]:
            value = step.changed_value(value, self._generator(step, number, epoch), example, kind)
        return None if value is original else value

    def _change_frames(self, after: list[list[Tensor]], numbers: list[int], epoch: int) -> None:
        for column in (column for column in after if _are_frames(column[0])):
            for place, number in enumerate(numbers):
                frames = column[place].numpy()
                for step in self.frame_steps:
                    generator = self._generator(step, number, epoch)
                    frames = step.changed_frames(frames, generator, self.examples[number])
                column[place] = torch.from_numpy(frames)

    def _give_room(self, after: list[list[Tensor]], before: list[Column], indices: Tensor) -> None:
        """Take back what was changed of examples whose target or whose other columns it does not fit."""
        lengths = torch.tensor([[len(piece) for piece in column] for column in after])
        misfits = (lengths != lengths[0]).any(dim=0)
        names = partial(map, self.data.name, indices.tolist())
        misfits |= self.model.output_lengths(lengths[0], names) < self.needed[indices]
        if misfits.any():
            for column, original in zip(after, map(_pieces, before), strict=True):
                for place in misfits.nonzero().flatten().tolist():
                    column[place] = original[place]

    def _try(self, step: _Step, assembly: Assembly) -> None:
        """Have an augmenter change the first example's frames: what it cannot is told before training."""
        first = torch.tensor([0])
        for column in (column for column in self.data.features if _are_frames(column.values)):
            frames = column.select(first).values.numpy()
            try:
                step.changed_frames(frames, self._generator(step, number=0, epoch=0), self.examples[0])
            except SeqlabError as error:
                raise placed(error, assembly.recipe.augmenters[step.number]) from error

    def _generator(self, step: _Step, number: int, epoch: int) -> Generator:
        return np.random.default_rng(derived_seed(self.seed, "augment", epoch, number, step.number))


class Kept:
    """Arrays, kept until `limit` bytes are full, so that not every epoch reads every file.

    Once full it stays as it is: an epoch reads each value once, so to make room for one by another would save
    nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._arrays: dict[tuple[int, str], NDArray[Any]] = {}

    def __call__(self, key: tuple[int, str], read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return what is read, read-only; that of the same key is read once where there is room."""
        found = self._arrays.get(key)
        if found is None:
            found = read().view()
            found.flags.writeable = False
            if self.size + found.nbytes <= self.limit:
                self._arrays[key] = found
                self.size += found.nbytes
        return found


# --- one augmenter ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """An augmenter of a recipe: its number there, what messages call it, and itself."""

    number: int
    part: Part
    augmenter: Augmenter

    def changed_value(self, value: Any, generator: Generator, example: Example, kind: FieldKind[Any]) -> Any:
        with self._calling(example):
            result = self.augmenter(value, generator)
            if result is value:
                return value
            return kind.changed(value, result, keeps_length=self.augmenter.keeps_length)

    def changed_frames(
        self, frames: NDArray[float32], generator: Generator, example: Example
    ) -> NDArray[float32]:
        given = frames.view()
        given.flags.writeable = False  # they may be those of the data, for every epoch to come
        with self._calling(example):
            result = self.augmenter(given, generator)
            if result is given:
                return frames
            self._check(result, given, given.shape[1:])
        # What torch takes over: no view that runs backwards, none that may not be written.
        return np.require(result, requirements=["C", "W"])

    def _calling(self, example: Example) -> AbstractContextManager[None]:
        return self.part.calling("__call__", lambda: [str(example.place)])

    def _check(self, result: Any, given: NDArray[float32], features: tuple[int, ...]) -> None:
        """Refuse what is no float32 array of finite numbers with these features and an allowed length."""
        keeps = self.augmenter.keeps_length
        sizes = ", ".join(map(str, (len(given) if keeps else "time", *features)))
        wanted = f"an array of float32 and shape ({sizes})"
        if not isinstance(result, np.ndarray):
            raise ContractError(f"returned {shown(result)} where {wanted} is expected")
        fits = result.dtype == float32 and result.ndim == given.ndim and result.shape[1:] == features
        if not fits or not len(result) or (keeps and len(result) != len(given)):
            raise ContractError(f"returned {shown(result)} where {wanted} is expected")
        if not np.isfinite(result).all():
            raise ContractError("returned numbers that are not finite")


def _steps(assembly: Assembly) -> list[_Step]:
    pairs = zip(assembly.recipe.augmenters, assembly.augmenters, strict=True)
    part = assembly.registry.part
    return [_Step(number, part(ref.kind, ref.name), made) for number, (ref, made) in enumerate(pairs)]


# --- whether augmenters can do anything, and may -----------------------------------------------------------


def check_augmenters(assembly: Assembly) -> None:
    """Check all that is known before data is read: RecipeError where an augmenter has no place in the recipe.

    PluginError where one does not say what it changes.
    """
    among = _neighbours(assembly)
    for step in _steps(assembly):
        stage, allowed = step.augmenter.stage, (FEATURES, *assembly.registry.field_kinds())
        if stage not in allowed:
            hint = f"{did_you_mean(str(stage), allowed)}; {one_of(allowed)}"
            raise step.part.refused(f"has stage {stage!r}{hint}")
        _check_place(step, assembly, among)


def _neighbours(assembly: Assembly, data: Dataset | None = None) -> Neighbours:
    """Return what the augmenters stand among; which featurizers make frames, only encoded data tells."""
    heads = zip(assembly.recipe.heads, assembly.heads.items(), strict=True)
    aligned = [f"{ref.name} of {target!r}" for ref, (target, head) in heads if head.alignment in IN_STEP]
    columns = [None] * len(assembly.featurizers) if data is None else data.features
    return Neighbours(
        reads=[assembly.reader.fields[each.field] for each in assembly.featurizers],
        frames=[None if column is None else _are_frames(column.values) for column in columns],
        bptt=assembly.recipe.train.bptt is not None,
        aligned=aligned[0] if aligned else None,
    )


def _check_place(step: _Step, assembly: Assembly, among: Neighbours) -> None:
    if reason := misplacement(step.augmenter, among):
        raise _misplaced(step, assembly, reason)


def _check_columns(step: _Step, assembly: Assembly, data: Dataset) -> None:
    """Refuse an augmenter of values that a column keeps a table of: it would have to change, too."""
    for number, (featurizer, column) in enumerate(zip(assembly.featurizers, data.features, strict=True)):
        read = assembly.kinds[featurizer.field].name == step.augmenter.stage
        if read and column.table is not None:
            stage = step.augmenter.stage
            raise _misplaced(step, assembly, f"changes {stage}, but features.{number} keeps a table of it")


def _misplaced(step: _Step, assembly: Assembly, reason: str) -> RecipeError:
    message = f"augmenter {step.part.name} {reason}"
    return RecipeError([assembly.recipe.problem(f"augment.{step.number}", message)])


# --- columns of a batch, sequence by sequence ------------------------------------------------------------


def _are_frames(values: Tensor) -> bool:
    return values.dtype == torch.float32 and values.dim() == 2


def _pieces(column: Column) -> list[Tensor]:
    return list(torch.split(column.values, column.lengths.tolist()))


def _rejoined(pieces: Sequence[Tensor], column: Column) -> Column:
    lengths = torch.tensor([len(piece) for piece in pieces], dtype=torch.int64)
    return Column(torch.cat(list(pieces)), lengths, column.table)


def _most(count: int, needs: Iterable[Tensor]) -> Tensor:
    """Return the largest of several numbers for each of `count` examples, 0 where there are none."""
    return torch.stack([torch.zeros(count, dtype=torch.int64), *needs]).amax(dim=0)
