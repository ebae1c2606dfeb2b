"""seqlab: models over sequences, from a small recipe to a usable model.

    import seqlab

    tagger = seqlab.open("runs/pos/model")
    tagger.predict([["The", "dog", "barks"]])[0].tags

    recognizer = seqlab.open("runs/asr/model")
    recognizer("sound.wav").text

Importing seqlab loads neither torch nor numpy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import DataError, PackageError, Place, PluginError, Problem, RecipeError, SeqlabError
from seqlab.lab import Lab
from seqlab.plugin import Component, hookimpl
from seqlab.recipe import Recipe
from seqlab.settings import Precision

if TYPE_CHECKING:
    from seqlab.predict.predictor import Predictor
    from seqlab.predict.recognizer import Recognizer

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
    return Lab().open(path, device=device, precision=precision)
