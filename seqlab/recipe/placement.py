"""Whether an augmenter has a place in a recipe: the rules, for whoever knows enough to ask.

`seqlab check` knows built-in parts by their settings, a run all parts once they are built, and what their
features look like once the data is encoded. None stands for what is not known yet; no rule guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Change", "Neighbours", "misplacement"]


class Change(Protocol):
    """What an augmenter does: every built one says so of itself."""

    @property
    def stage(self) -> str:
        """The kind of field that it changes, or `features`."""
        ...

    @property
    def keeps_length(self) -> bool:
        """Whether a sequence always stays as long as it was."""
        ...


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The parts of a recipe that an augmenter's change goes through.

    Featurizer by featurizer `reads` is the kind of its field and `frames` whether it makes frames, float32 of
    shape (time, features). `bptt`: sequences are cut into chunks. `aligned` names the head that needs one
    state for each label, None where no head is known to.
    """

    reads: Sequence[str | None]
    frames: Sequence[bool | None]
    bptt: bool
    aligned: str | None


def misplacement(change: Change, among: Neighbours) -> str:
    """Return why an augmenter has no place among these parts; empty where it has one or nobody knows yet."""
    if change.stage == "features" and not {True, None} & set(among.frames):
        return "changes frames of features, but no featurizer makes any"
    if change.stage != "features" and not {change.stage, None} & set(among.reads):
        return f"changes {change.stage}, but no featurizer reads any"
    return "" if change.keeps_length else _change_of_length(change, among)


def _change_of_length(change: Change, among: Neighbours) -> str:
    if among.bptt:
        return "changes lengths, but train.bptt counts its chunks by them"
    if among.aligned is not None:
        return f"changes lengths, but head {among.aligned} needs one state for each label"
    if change.stage == "features":
        changed = [frames is not False for frames in among.frames]
    else:
        changed = [kind in (change.stage, None) for kind in among.reads]
    return "" if all(changed) else f"changes lengths, but not that of features.{changed.index(False)}"
