"""Figures by their names: which are of a whole, and which of a part of it.

A metric names a figure of a part `PART.FIGURE`, as `NOUN.f1`, and the figure of one part of a group
`PART.GROUP_FIGURE` where there is `FIGURE` of the whole, too: `ann.speaker_wer` beside `wer`. Several heads
put their targets before them, as in `upos.NOUN.f1`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

__all__ = ["Figures", "by_group", "in_groups", "overall"]


class Figures(dict[str, float]):
    """Figures by name, with the targets of the heads that put theirs before them; none for a single head."""

    def __init__(self, figures: Mapping[str, float], heads: Collection[str] = ()) -> None:
        super().__init__(figures)
        self.heads = tuple(heads)


class Name(NamedTuple):
    """A figure's name: the head's target and a dot, or nothing; the part, or nothing; the figure."""

    head: str
    part: str
    figure: str


def overall(names: Iterable[str], heads: Collection[str] = ()) -> list[str]:
    """Return the figures to show at a glance: all but those of parts."""
    return [name for name in names if not _name(name, heads).part]


def in_groups(names: Iterable[str], heads: Collection[str] = ()) -> set[str]:
    """Return those of all figures that are of one part of a group."""
    names = list(names)
    groups = _groups(names, heads).values()
    return {name for parts in groups for name in parts.values()}


def by_group(
    figures: Mapping[str, float], heads: Collection[str] = ()
) -> dict[tuple[str, str], dict[str, float]]:
    """Return the figures of the parts of each group, highest first, by the whole's figure and the group.

    `{("wer", "speaker"): {"bob": 0.5, "ann": 0.25}}`; empty where no figure is of one part of a group.
    """
    found = {}
    for key, parts in _groups(figures, heads).items():
        values = {part: figures[name] for part, name in parts.items()}
        found[key] = dict(sorted(values.items(), key=lambda pair: (-pair[1], pair[0])))
    return found


def _groups(names: Iterable[str], heads: Collection[str]) -> dict[tuple[str, str], dict[str, str]]:
    """Return by whole figure and group the name of each part's figure."""
    names = list(names)
    whole = [(each.head, each.figure) for each in (_name(name, heads) for name in names) if not each.part]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        head, part, figure = _name(name, heads)
        for owner, rate in whole if part else ():
            group = figure.removesuffix(f"_{rate}")
            if owner == head and group != figure and group:
                found.setdefault((head + rate, group), {})[part] = name
    return found


def _name(name: str, heads: Collection[str]) -> Name:
    head = next((f"{target}." for target in heads if name.startswith(f"{target}.")), "")
    part, _, figure = name.removeprefix(head).rpartition(".")
    return Name(head, part, figure)
