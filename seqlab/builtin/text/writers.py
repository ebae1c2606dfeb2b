"""CoNLL-U as a format of predictions."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.api import DataError, Prediction, Writer, WriterContext
from seqlab.builtin.core.writers import rows_of
from seqlab.builtin.text.readers.conllu import SUFFIXES
from seqlab.builtin.text.readers.conllu_columns import COLUMNS, NO_VALUE, ColumnKey

__all__ = ["ConlluWriter"]


class ConlluWriter(Writer):
    """CoNLL-U, each head's labels in the column of its target."""

    name = "conllu"
    summary = "CoNLL-U, each head's labels in the column of its target"

    def fault(self, context: WriterContext) -> str:
        """Refuse models that label no tokens."""
        reads = [kind.name for kind in context.inputs.values()]
        answers = [kind.name for kind in context.answers.values()]
        fits = reads == ["tokens"] and set(answers) == {"labels"}
        return "" if fits else f"CoNLL-U has labels of tokens; the model answers {', '.join(answers)}"

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        """Write a sentence; what came from CoNLL-U keeps its comments and columns.

        A sentence without tokens, which CoNLL-U does not know, is an empty line more. DataError for a token
        with a tab or line end, and for a label field that is no column of CoNLL-U.
        """
        example = prediction.example
        labels = {target: answer.value for target, answer in prediction.answers.items()}
        if example.origin is not None and set(SUFFIXES) & set(context.reader.suffixes):
            written: str = context.reader.write(example, labels)  # type: ignore[attr-defined]
            return written
        (field,) = context.inputs
        rows = rows_of(example, field, labels)
        if not rows:
            return "\n"
        try:
            form, *sources = (ColumnKey.named(column) for column in ("form", *labels))
            lines = [conllu_line(index, row, (form, *sources)) for index, row in enumerate(rows, 1)]
        except ValueError as error:
            raise DataError(f"{error}; choose tsv or jsonl", place=example.place) from None
        return "\n".join([f"# text = {' '.join(example.fields[field])}", *lines]) + "\n\n"


def conllu_line(index: int, row: Sequence[str], sources: Sequence[ColumnKey]) -> str:
    """Return the line of word `index` with each value of `row` in its own place."""
    columns = [str(index)] + [NO_VALUE] * (len(COLUMNS) - 1)
    for source, value in zip(sources, row, strict=True):
        source.put(columns, value)
    return "\t".join(columns)
