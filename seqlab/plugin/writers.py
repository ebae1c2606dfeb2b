"""Writers: formats in which predictions are written, one after another, each by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.plugin.answers import Prediction
from seqlab.plugin.fields import FieldKind

if TYPE_CHECKING:
    from seqlab.plugin.kinds import Reader

__all__ = ["Writer", "WriterContext"]


@dataclass(frozen=True)
class WriterContext:
    """What a writer knows of the model and of the output.

    `inputs` and `answers` are the fields that the model reads and answers, with their kinds; `reader` is the
    recipe's; `folder` is where paths in the output start from. `first` is the first prediction of the output,
    None until that is written.
    """

    inputs: Mapping[str, FieldKind[Any]]
    answers: Mapping[str, FieldKind[Any]]
    reader: Reader
    folder: Path
    first: Prediction | None = None


class Writer:
    """A format of predictions; the host uses one instance for each format."""

    name: str
    """What users call it: lower-case, like `jsonl`."""
    summary: str
    """What is written, in a few words."""

    def fault(self, context: WriterContext) -> str:
        """Return why it cannot write what this model reads and answers; empty where it can."""
        return ""

    def begin(self, prediction: Prediction, context: WriterContext) -> str:
        """Return what stands above `prediction`, the first of the output: a header, say."""
        return ""

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        """Return the text of one prediction, line ends included; DataError where it cannot be written."""
        raise NotImplementedError(f"writer {self.name} has no method write")

    def end(self, context: WriterContext) -> str:
        """Return what stands below the last prediction; an output without any has no end."""
        return ""
