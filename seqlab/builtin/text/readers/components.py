"""The built-in readers of text: `conllu`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from seqlab.api import Component, Config, ReaderContext

if TYPE_CHECKING:
    from seqlab.builtin.text.readers.conllu import ConlluReader

__all__ = [
    "COMPONENTS",
    "ConlluConfig",
]

LabelNames = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
"""Several label columns; not strict, because a YAML list is no tuple."""


class ConlluConfig(Config):
    """Which columns are read; the names are CoNLL-U's in lower case, `feats.KEY` and `misc.KEY` one key."""

    formerly: ClassVar[Mapping[str, Any]] = {"missing": "fail", "unicode": None}

    text: str = "form"
    """Column that holds the tokens."""
    label: Annotated[str | LabelNames, Field(validate_default=True)] = "upos"
    """Column that holds the labels, or a list of them; each becomes a field of its name."""
    missing: Literal["ignore", "fail"] = "ignore"
    """Where a word lacks its label or text (`_`): `fail` is an error; `ignore` keeps a word without label out
    of loss and figures, and reads one without text as the token `_`."""
    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    """Normal form of Unicode that tokens and labels are brought to; null leaves them as they are."""

    @field_validator("text")
    @classmethod
    def _text_is_a_column(cls, text: str) -> str:
        from seqlab.builtin.text.readers.conllu_columns import Source

        return Source.named(text).name

    @field_validator("label")
    @classmethod
    def _labels_are_columns(cls, label: str | tuple[str, ...], info: ValidationInfo) -> str | tuple[str, ...]:
        from seqlab.builtin.text.readers.conllu_columns import Source

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
    from seqlab.builtin.text.readers.conllu import ConlluReader

    return ConlluReader(
        text=config.text,
        labels=label_names(config.label),
        missing=config.missing,
        unicode=config.unicode,
        refuse=context.refuse,
    )


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="conllu",
        config=ConlluConfig,
        build=build_conllu,
        summary="Treebanks of Universal Dependencies: CoNLL-U files, also gzipped",
        skips=True,
    ),
)
