"""The contract of augmenters, of values of whatever kind of field, or of features."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy import float32
from numpy.typing import NDArray

from seqlab.api import Augmenter, AugmenterContext, Component, FieldKind
from seqlab.augmentation import FEATURES
from seqlab.errors import ContractError
from seqlab.suggest import one_of
from seqlab.testing.kinds import fields_of, known_kinds

__all__ = ["check_augmenter"]

LENGTHS = (70, 131, 5, 1)
"""Lengths of the frames."""

FRAME_SIZE = 40

DRAWS = 20
"""So many times everything is drawn: an augmenter that leaves most of its examples alone must show itself."""


def check_augmenter(component: Component[Any], kinds: Iterable[FieldKind[Any]] = (), **config: Any) -> None:
    """Build an augmenter and check its contract, with values of the kind of field that it changes.

    The reader that it is told of has one field of each kind, with the kind's own name: seqlab's, and `kinds`
    of the caller's. Values are the kind's `samples`; an augmenter of features is given frames.

    - It returns what the kind takes for a value that was changed, sound at the rate of the given one, say; or
      finite frames with as many features, in float32, and at least one of them.
    - It leaves what it is given as it was, and keeps the length where it says so.
    - What it returns follows from the generator alone: not from what it was given before, and not from the
      generators of numpy, torch or Python, from which it draws nothing.
    - Some of the time it changes something.
    """
    known = known_kinds(kinds)
    settings = component.config(**config)
    augmenter: Augmenter = component.build(settings, AugmenterContext(fields_of(known)))
    allowed = (FEATURES, *fields_of(known))
    assert augmenter.stage in allowed, f"stage is {augmenter.stage!r}; {one_of(allowed)}"
    what = _Frames() if augmenter.stage == FEATURES else _Values(known[augmenter.stage], settings)
    given = what.given()
    before = [what.content(value) for value in given]
    untouched = _global_generators()
    drawn = [[_draw(augmenter, what, value, seed) for value in given] for seed in range(DRAWS)]
    assert _global_generators() == untouched, "it draws from a generator that is not its own"
    for seed in reversed(range(DRAWS)):
        for value, expected in zip(reversed(given), reversed(drawn[seed]), strict=True):
            found = _draw(augmenter, what, value, seed)
            assert _same([found], [expected]), "asked twice with equal generators, the answers differ"
    assert any(not _same(result, before) for result in drawn), f"in {DRAWS} draws it has changed nothing"


class _What(Protocol):
    """What is changed: values of a kind, or frames."""

    def given(self) -> Sequence[Any]:
        """Return some of it, which may be written to."""
        ...

    def content(self, value: Any) -> Any:
        """Return a copy of all that one of it holds."""
        ...

    def check(self, before: Any, after: Any, *, keeps_length: bool) -> None:
        """Refuse what an augmenter must not return."""
        ...


class _Values:
    """Values of a kind of field."""

    def __init__(self, kind: FieldKind[Any], settings: Any) -> None:
        self.kind = kind
        self.samples = kind.samples_for(settings)

    def given(self) -> list[Any]:
        return [self.kind.held(copy.deepcopy(value), _Held()) for value in self.samples]

    def content(self, value: Any) -> Any:
        return copy.deepcopy(self.kind.content(value))

    def check(self, before: Any, after: Any, *, keeps_length: bool) -> None:
        if after is not before:
            try:
                self.kind.changed(before, after, keeps_length=keeps_length)
            except ContractError as error:
                raise AssertionError(f"it {error}") from error


class _Held:
    """A memory for one array: it is read once, so that what is written to it is seen."""

    def __init__(self) -> None:
        self.array: Any = None

    def __call__(self, read: Callable[[], Any]) -> Any:
        if self.array is None:
            self.array = read()
        return self.array


class _Frames:
    """Frames as featurizers make them."""

    def given(self) -> list[NDArray[float32]]:
        generator = np.random.default_rng(1)
        return [generator.standard_normal((length, FRAME_SIZE), dtype=float32) for length in LENGTHS]

    def content(self, value: NDArray[float32]) -> NDArray[float32]:
        return value.copy()

    def check(self, before: NDArray[float32], after: Any, *, keeps_length: bool) -> None:
        assert isinstance(after, np.ndarray), f"what comes back is {type(after).__name__}, not an array"
        assert after.dtype == float32, f"what comes back is {after.dtype}, not float32"
        assert after.shape[1:] == before.shape[1:], f"shape {before.shape} becomes {after.shape}"
        assert len(after), "nothing comes back"
        assert np.isfinite(after).all(), "what comes back is not finite"
        if keeps_length:
            assert len(after) == len(before), f"it says keeps_length, but {len(before)} became {len(after)}"


def _draw(augmenter: Augmenter, what: _What, value: Any, seed: int) -> Any:
    """Return all that becomes of a value or of frames, checked."""
    before = what.content(value)
    result = augmenter(value, np.random.default_rng(seed))
    assert _same([what.content(value)], [before]), "it changes what it is given"
    what.check(value, result, keeps_length=augmenter.keeps_length)
    return what.content(result)


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Compare contents: arrays, or JSON data."""
    return all(
        np.array_equal(each, another) if isinstance(each, np.ndarray) else each == another
        for each, another in zip(one, other, strict=True)
    )


def _global_generators() -> tuple[Any, ...]:
    state = np.random.get_state()
    return (
        [part.tolist() if isinstance(part, np.ndarray) else part for part in state],
        torch.get_rng_state().tolist(),
        random.getstate(),
    )
