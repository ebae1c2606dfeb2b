"""Which of the reader's fields a head learns."""

from __future__ import annotations

from collections.abc import Mapping

from seqlab.api import FieldKind, SeqlabError, did_you_mean, one_of

__all__ = ["target_field"]

NOUNS: Mapping[FieldKind, str] = {"token_labels": "label", "text": "text"}
"""What fields of a kind are called in messages."""


def target_field(head: str, target: str | None, kind: FieldKind, fields: Mapping[str, FieldKind]) -> str:
    """Return the target of a head, by default the reader's only field of `kind`.

    SeqlabError where there are several or none to choose from, or the target is no such field.
    """
    noun, there = NOUNS[kind], [name for name, each in fields.items() if each == kind]
    if not there:
        raise SeqlabError(
            f"head {head} learns a {noun} field, but the reader delivers none, only: {_listed(fields)}"
        )
    if target is None and len(there) > 1:
        raise SeqlabError(
            f"head {head} needs a target: the reader delivers {len(there)} {noun} fields; {one_of(there)}"
        )
    if target is None:
        return there[0]
    if target in fields and target not in there:
        raise SeqlabError(f"head {head} learns a {noun} field, which {target!r} is not; {one_of(there)}")
    if target not in there:
        raise SeqlabError(
            f"head {head}: the reader delivers no field {target!r}{did_you_mean(target, there)};"
            f" {one_of(there)}"
        )
    return target


def _listed(fields: Mapping[str, FieldKind]) -> str:
    return ", ".join(f"{name} ({NOUNS.get(kind, kind)})" for name, kind in fields.items()) or "nothing"
