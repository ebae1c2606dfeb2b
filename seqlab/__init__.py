"""seqlab: models over sequences, from a small recipe to a usable model.

    import seqlab

    tagger = seqlab.open("runs/pos/model")
    tagger.predict([["The", "dog", "barks"]])[0].tags

    recognizer = seqlab.open("runs/asr/model")
    recognizer("sound.wav").text

Importing seqlab loads nothing else: each name below loads what it needs on first use, and none loads torch or
numpy before something is computed. Its modules are attributes without an import of their own, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""As typing's, without an import: `python -m seqlab` comes here while the current folder is on the path."""

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.errors import DataError, PackageError, Place, PluginError, Problem, RecipeError, SeqlabError
    from seqlab.lab import Lab
    from seqlab.plugin import Component, hookimpl
    from seqlab.predict.predictor import Predictor
    from seqlab.recipe import Recipe
    from seqlab.settings import Precision

__all__ = [
    "Component",
    "DataError",
    "Lab",
    "PackageError",
    "Place",
    "PluginError",
    "Problem",
    "Recipe",
    "RecipeError",
    "SeqlabError",
    "hookimpl",
    "open",
]

HOMES = {
    "Component": "seqlab.plugin",
    "Lab": "seqlab.lab",
    "Recipe": "seqlab.recipe",
    "hookimpl": "seqlab.plugin",
}
"""Where a name is defined; those that are not here are errors."""


def open(path: Path | str, *, device: str = "auto", precision: Precision = "fp32") -> Predictor:
    """Open a model package with the installed plugins; see `Lab.open`."""
    from seqlab.lab import Lab

    return Lab().open(path, device=device, precision=precision)


if not TYPE_CHECKING:  # to a type checker, any name would exist

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in __all__:
            try:
                if not name.startswith("_"):
                    return import_module(f"{__name__}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{__name__}.{name}":
                    raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(HOMES.get(name, "seqlab.errors")), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
