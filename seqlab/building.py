"""Components of a recipe, built and checked: what is missing of one is known before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqlab.api import Problem, RecipeError, SeqlabError
from seqlab.calling import called, sized
from seqlab.contract import attribute_fault
from seqlab.engine import Observer
from seqlab.plugin import Registry, raised
from seqlab.recipe import ComponentRef
from seqlab.suggest import did_you_mean, one_of

__all__ = ["build_component", "placed"]

LEARNS = ("fit", "state", "restore")

REQUIRED: Mapping[str, Sequence[str]] = {
    "reader": ("suffixes", "fields", "read"),
    "featurizer": ("field", *LEARNS, "encode", "module"),
    "augmenter": ("stage", "keeps_length", "__call__"),
    "encoder": ("output_size", "carries_state", "forward", "output_lengths", "state_dict"),
    "head": ("target", "alignment", "default_metrics", *LEARNS, "encode", "module", "answers"),
    "metric": ("higher_is_better", *LEARNS, "reset", "update", "compute"),
    "observer": tuple(name for name in vars(Observer) if not name.startswith("_")),
}
"""What the host uses of every component of a kind, so that what is missing is known before it is needed."""


def build_component(registry: Registry, ref: ComponentRef, context: object) -> Any:
    """Build a component of a recipe, to be called as `called` has it.

    A fault of plugin code becomes a PluginError with the plugin's name, an error without a place gets that of
    the component in the recipe.
    """
    part = registry.part(ref.kind, ref.name)
    try:
        with sized(part, ref.place):
            built = registry.get(ref.kind, ref.name).build(ref.config, context)
    except SeqlabError as error:
        raise placed(error, ref) from error
    except (Exception, SystemExit) as error:
        raise part.refused(f"cannot be built: {raised(error, part.package)}") from error
    with part.calling("build"):
        missing = [name for name in REQUIRED[ref.kind] if not hasattr(built, name)]
        fault = "" if missing else attribute_fault(ref.kind, built)
    wanted = f"; see seqlab.api.{ref.kind.capitalize()}"
    if missing:
        raise part.refused(f"has a builder that returned {built!r} without {', '.join(missing)}{wanted}")
    if fault:
        raise part.refused(f"{fault}{wanted}")
    if unknown := _unknown_kind(ref.kind, built, registry):
        raise part.refused(unknown)
    return called(built, part, registry.field_kinds())


def _unknown_kind(kind: str, built: Any, registry: Registry) -> str:
    """Return which field of a new reader has a kind that nobody has registered; empty where none has."""
    known = registry.field_kinds()
    for name, field_kind in built.fields.items() if kind == "reader" else ():
        if field_kind not in known:
            hint = did_you_mean(field_kind, known)
            return f"delivers {{{name!r}: {field_kind!r}}}: unknown kind of field{hint}; {one_of(known)}"
    return ""


def placed(error: SeqlabError, ref: ComponentRef) -> SeqlabError:
    """Give an error without a place of its own the one where the recipe names the component."""
    return RecipeError([Problem(ref.place, "", str(error))]) if type(error) is SeqlabError else error
