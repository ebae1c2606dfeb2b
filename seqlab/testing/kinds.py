"""The kinds of fields that the checks try components with: seqlab's own, and those of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from seqlab.api import Example, FieldKind, Place
from seqlab.lab import Lab

__all__ = ["fields_of", "known_kinds", "sample_examples", "wrong_answers"]


def known_kinds(more: Iterable[FieldKind[Any]] = ()) -> dict[str, FieldKind[Any]]:
    """Return seqlab's kinds of fields by name, with `more` of them."""
    return _own_kinds() | {kind.name: kind for kind in more}


@cache
def _own_kinds() -> dict[str, FieldKind[Any]]:
    return Lab(entry_points=False).registry.field_kinds()


def fields_of(known: Mapping[str, FieldKind[Any]]) -> dict[str, str]:
    """Return the fields of the reader of the checks: one of each kind that has samples, with its name."""
    return {name: name for name, kind in known.items() if kind.samples}


def sample_examples(kind: FieldKind[Any], known: Mapping[str, FieldKind[Any]]) -> list[Example]:
    """Return examples of all these fields, one for each sample of a kind, which is among them."""
    partner = known.get(kind.along or "")
    count = min(len(each.samples) for each in (kind, partner) if each is not None)
    samples = {name: known[name].samples for name in fields_of(known)}
    return [
        Example(
            {name: values[number % len(values)] for name, values in samples.items()},
            Place("example", number + 1),
        )
        for number in range(count)
    ]


def wrong_answers(kind: FieldKind[Any]) -> Sequence[Any]:
    """Return as many answers as a kind has samples, some of which are wrong."""
    return kind.wrong or (*kind.samples[1:], *kind.samples[:1])
