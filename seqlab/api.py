"""The only module that a plugin author needs.

Importing it loads neither torch nor numpy; the engine's types (`Sequences`, `Column`, ...) arrive on first
use. See `docs/how-to/write-a-plugin.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqlab.datasets import DatasetEntry, Download, unpack
from seqlab.errors import DataError, PackageError, Place, PluginError, Problem, RecipeError, SeqlabError
from seqlab.filepath import FilePath
from seqlab.plugin.component import Component
from seqlab.plugin.hookspecs import hookimpl
from seqlab.plugin.kinds import (
    Audio,
    Augmenter,
    AugmenterContext,
    Encoder,
    EncoderContext,
    Example,
    Featurizer,
    FeaturizerContext,
    FieldKind,
    Head,
    HeadContext,
    Located,
    Metric,
    MetricContext,
    ObserverContext,
    Reader,
    ReaderContext,
    RunInfo,
    Sound,
)
from seqlab.settings import Config
from seqlab.suggest import did_you_mean, one_of

if TYPE_CHECKING:
    from seqlab.engine import Column, Indexed, Observer, Sequences, State, StepRecord, Trainer

__all__ = [
    "Audio",
    "Augmenter",
    "AugmenterContext",
    "Column",
    "Component",
    "Config",
    "DataError",
    "DatasetEntry",
    "Download",
    "Encoder",
    "EncoderContext",
    "Example",
    "Featurizer",
    "FeaturizerContext",
    "FieldKind",
    "FilePath",
    "Head",
    "HeadContext",
    "Indexed",
    "Located",
    "Metric",
    "MetricContext",
    "Observer",
    "ObserverContext",
    "PackageError",
    "Place",
    "PluginError",
    "Problem",
    "Reader",
    "ReaderContext",
    "RecipeError",
    "RunInfo",
    "SeqlabError",
    "Sequences",
    "Sound",
    "State",
    "StepRecord",
    "Trainer",
    "did_you_mean",
    "hookimpl",
    "one_of",
    "unpack",
]

ENGINE_NAMES = frozenset({"Column", "Indexed", "Observer", "Sequences", "State", "StepRecord", "Trainer"})
"""Names that live in seqlab.engine and would load torch."""


def __getattr__(name: str) -> Any:  # PEP 562 gives no better type
    if name in ENGINE_NAMES:
        import seqlab.engine

        return getattr(seqlab.engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
