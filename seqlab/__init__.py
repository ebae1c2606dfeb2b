"""seqlab: models over sequences, from a small recipe to a usable model.

    import seqlab

    tagger = seqlab.open("runs/pos/model")
    tagger.predict([["The", "dog", "barks"]])[0].tags

    recognizer = seqlab.open("runs/asr/model")
    recognizer("sound.wav").text

Importing seqlab loads neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.errors import DataError, PackageError, Place, PluginError, Problem, RecipeError, SeqlabError
    from seqlab.lab import Lab
    from seqlab.plugin import Component, hookimpl
    from seqlab.predict.predictor import Predictor
    from seqlab.predict.recognizer import Recognizer
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


def open(path: Path | str, *, device: str = "auto", precision: Precision = "fp32") -> Predictor | Recognizer:
    """Open a model package with the installed plugins; see `Lab.open`."""
    from seqlab.lab import Lab

    return Lab().open(path, device=device, precision=precision)


MODULES = {"Component": "plugin", "Lab": "lab", "Recipe": "recipe", "hookimpl": "plugin"}
"""Where the names live that are not in `seqlab.errors`; each arrives on first use."""


def __getattr__(name: str) -> Any:  # PEP 562 gives no better type
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"seqlab.{MODULES.get(name, 'errors')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
