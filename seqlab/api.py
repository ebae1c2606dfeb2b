"""The only module that a plugin author needs.

Importing it loads neither torch nor numpy; the engine's types (`Sequences`, `Column`, ...) arrive on first
use. See `docs/how-to/write-a-plugin.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqlab.audio.sound import Audio, Sound
from seqlab.datasets import DatasetEntry, Download, unpack
from seqlab.errors import DataError, PackageError, Place, PluginError, Problem, RecipeError, SeqlabError
from seqlab.filepath import FilePath
from seqlab.plugin.answers import Answer, Prediction
from seqlab.plugin.component import Component
from seqlab.plugin.declarations import Declaration, FieldUse, chosen_field
from seqlab.plugin.fields import Calling, Example, FieldKind, Guarded, Hold, Piece, Refuse, Take
from seqlab.plugin.hookspecs import hookimpl
from seqlab.plugin.kinds import (
    ALIGNMENTS,
    Alignment,
    Augmenter,
    AugmenterContext,
    Encoder,
    EncoderContext,
    Featurizer,
    FeaturizerContext,
    Head,
    HeadContext,
    Located,
    Metric,
    MetricContext,
    ObserverContext,
    Reader,
    ReaderContext,
    RunInfo,
)
from seqlab.plugin.writers import Writer, WriterContext
from seqlab.settings import Config
from seqlab.suggest import did_you_mean, one_of

if TYPE_CHECKING:
    from seqlab.engine import (
        Column,
        Indexed,
        Observer,
        Sequences,
        State,
        States,
        StepRecord,
        Trainer,
        both_ends,
    )

__all__ = [
    "ALIGNMENTS",
    "Alignment",
    "Answer",
    "Audio",
    "Augmenter",
    "AugmenterContext",
    "Calling",
    "Column",
    "Component",
    "Config",
    "DataError",
    "DatasetEntry",
    "Declaration",
    "Download",
    "Encoder",
    "EncoderContext",
    "Example",
    "Featurizer",
    "FeaturizerContext",
    "FieldKind",
    "FieldUse",
    "FilePath",
    "Guarded",
    "Head",
    "HeadContext",
    "Hold",
    "Indexed",
    "Located",
    "Metric",
    "MetricContext",
    "Observer",
    "ObserverContext",
    "PackageError",
    "Piece",
    "Place",
    "PluginError",
    "Prediction",
    "Problem",
    "Reader",
    "ReaderContext",
    "RecipeError",
    "Refuse",
    "RunInfo",
    "SeqlabError",
    "Sequences",
    "Sound",
    "State",
    "States",
    "StepRecord",
    "Take",
    "Trainer",
    "Writer",
    "WriterContext",
    "both_ends",
    "chosen_field",
    "did_you_mean",
    "hookimpl",
    "one_of",
    "unpack",
]

ENGINE_NAMES = frozenset(
    {"Column", "Indexed", "Observer", "Sequences", "State", "States", "StepRecord", "Trainer", "both_ends"}
)
"""Names that live in seqlab.engine and would load torch."""


def __getattr__(name: str) -> Any:  # PEP 562 gives no better type
    if name in ENGINE_NAMES:
        import seqlab.engine

        return getattr(seqlab.engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
