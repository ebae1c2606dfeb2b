"""What components say of themselves by their settings alone, so that a recipe is checked before data is read.

Nothing of it loads torch. None stands for what is not known, as of a component that declares nothing: no rule
guesses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from seqlab.errors import SeqlabError
from seqlab.plugin.kinds import Alignment
from seqlab.suggest import did_you_mean, one_of

__all__ = ["Declaration", "FieldUse", "chosen_field"]


@dataclass(frozen=True)
class FieldUse:
    """A further field that a component uses: the `verb` of messages, the name if there is one, the kinds."""

    verb: str
    field: str | None
    kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a component does with some settings; each kind of component uses its own part of it."""

    fields: Mapping[str, str] | None = None
    """Of a reader: the fields that it delivers, each with its kind."""
    field: str | None = None
    """The field that a featurizer reads or a head learns, where the settings name one."""
    kinds: tuple[str, ...] | None = None
    """The kinds of field that a featurizer can read, a head learn, or a metric score."""
    uses: tuple[FieldUse, ...] = ()
    """The fields that a featurizer learns from besides."""
    separated: tuple[str, ...] = ()
    """Of a reader: the fields whose texts it cuts into strings, so that their kinds must hold such."""
    frames: bool | None = None
    """Of a featurizer: whether it makes frames, float32 of shape (time, features)."""
    stage: str | None = None
    """Of an augmenter: the kind of field that it changes, or `features` for frames."""
    keeps_length: bool | None = None
    """Of an encoder or an augmenter: whether a sequence stays as long as it was."""
    carries_state: bool | None = None
    """Of an encoder: whether a state from one chunk can continue in the next; never where it looks ahead."""
    alignment: Alignment | None = None
    """Of a head: how the parts of its target stand to the states."""
    default_metrics: tuple[str, ...] | None = None
    """Of a head: the metrics where the recipe names none."""
    figures: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None
    """Of a metric: the names of its figures, by the kind of field that it scores where they depend on that;
    `*` stands for what the data tells, as in `*.f1`."""
    modules: tuple[tuple[str, str], ...] = ()
    """Python modules that training needs, each with the command that installs it."""
    weights: int = 0
    """The number of weights that there will be at least."""


def chosen_field(part: str, field: str | None, kinds: Collection[str], fields: Mapping[str, str]) -> str:
    """Return the field of one of `kinds` that a component uses: the one that is named, or else the only one.

    `part` is what messages call it, with its verb: `head ctc learns`. SeqlabError where there are several or
    none to choose from, or the named one is none of them.
    """
    wanted = " or ".join(kinds)
    there = [name for name, kind in fields.items() if kind in kinds]
    if field is not None and field not in fields:
        raise SeqlabError(
            f"{part} field {field!r}, which the reader does not deliver{did_you_mean(field, fields)};"
            f" {one_of(fields)}"
        )
    if field is not None and field not in there:
        message = f"{part} {wanted}, but field {field!r} holds {fields[field]}"
        raise SeqlabError(f"{message}; {one_of(there)}" if there else message)
    if not there:
        listed = ", ".join(f"{name} ({kind})" for name, kind in fields.items()) or "nothing"
        raise SeqlabError(f"{part} {wanted}, but the reader delivers none, only: {listed}")
    if field is None and len(there) > 1:
        several = f"of which the reader delivers {len(there)} fields: name the one that is meant"
        raise SeqlabError(f"{part} {wanted}, {several}; {one_of(there)}")
    return field or there[0]
