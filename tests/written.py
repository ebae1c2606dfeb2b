"""Predictions made by hand, and what a writer makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from seqlab import Lab
from seqlab.api import Answer, Example, Prediction, Writer, WriterContext

KINDS = Lab(entry_points=False).registry.field_kinds()


def context(
    reads: Mapping[str, str], answers: Mapping[str, str], reader: Any = None, folder: Path | str = ""
) -> WriterContext:
    """A context of fields, given with the names of their kinds, and a reader that writes nothing."""
    return WriterContext(
        {field: KINDS[kind] for field, kind in reads.items()},
        {field: KINDS[kind] for field, kind in answers.items()},
        SimpleNamespace() if reader is None else reader,
        Path(folder),
    )


def written(writer: Writer, example: Example, answers: Mapping[str, Answer], known: WriterContext) -> str:
    """What a writer writes of an example with these answers."""
    return writer.write(Prediction(example, answers, {**known.inputs, **known.answers}), known)
