"""The built-in readers: `conllu`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from seqlab.api import Component, Config, ReaderContext, hookimpl

if TYPE_CHECKING:
    from seqlab.builtin.readers.conllu import ConlluReader

__all__ = ["ConlluConfig", "seqlab_register_readers"]

LabelNames = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
"""Several label columns; not strict, because a YAML list is no tuple."""


class ConlluConfig(Config):
    """Which columns are read; the names are CoNLL-U's in lower case, `feats.KEY` and `misc.KEY` one key."""

    text: str = "form"
    """Column that holds the tokens."""
    label: Annotated[str | LabelNames, Field(validate_default=True)] = "upos"
    """Column that holds the labels, or a list of them; each becomes a field of its name."""

    @field_validator("text")
    @classmethod
    def _text_is_a_column(cls, text: str) -> str:
        from seqlab.builtin.readers.conllu import Source

        return Source.named(text).name

    @field_validator("label")
    @classmethod
    def _labels_are_columns(cls, label: str | tuple[str, ...], info: ValidationInfo) -> str | tuple[str, ...]:
        from seqlab.builtin.readers.conllu import Source

        names = label_names(label)
        for position, name in enumerate(names):
            Source.named(name)
            if name in names[:position]:
                raise ValueError(f"label {name!r} is named twice")
            if name == info.data.get("text"):
                raise ValueError(f"label {name!r} is also the text; choose another column for one of them")
        return label


def label_names(label: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels of the setting `label`, which may be written as one name or as a list."""
    return (label,) if isinstance(label, str) else label


def build_conllu(config: ConlluConfig, context: ReaderContext) -> ConlluReader:
    """Make the reader of the configured columns."""
    from seqlab.builtin.readers.conllu import ConlluReader

    return ConlluReader(text=config.text, labels=label_names(config.label))


@hookimpl
def seqlab_register_readers() -> Iterable[Component[Any]]:
    """Register `conllu`."""
    return (
        Component(
            name="conllu",
            config=ConlluConfig,
            build=build_conllu,
            summary="Treebanks of Universal Dependencies: CoNLL-U files, also gzipped",
        ),
    )
