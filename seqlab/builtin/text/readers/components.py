"""The built-in readers of text: `conllu`, plain text, and tables with named columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from seqlab.api import Component, Config, Declaration, ReaderContext, SeqlabError, did_you_mean, one_of

if TYPE_CHECKING:
    from seqlab.builtin.text.readers.conllu import ConlluReader
    from seqlab.builtin.text.readers.plain import PlainTextReader
    from seqlab.builtin.text.readers.tables import Format, TableReader

__all__ = [
    "COMPONENTS",
    "ColumnConfig",
    "ConlluConfig",
    "PlainTextConfig",
    "TableConfig",
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
        from seqlab.builtin.text.readers.conllu_columns import ColumnKey

        return ColumnKey.named(text).name

    @field_validator("label")
    @classmethod
    def _labels_are_columns(cls, label: str | tuple[str, ...], info: ValidationInfo) -> str | tuple[str, ...]:
        from seqlab.builtin.text.readers.conllu_columns import ColumnKey

        names = label_names(label)
        for position, name in enumerate(names):
            ColumnKey.named(name)
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


def _declared(config: ConlluConfig) -> Declaration:
    labels = dict.fromkeys(label_names(config.label), "labels")
    return Declaration(fields={"tokens": "tokens", **labels})


class ColumnConfig(Config):
    """Where a field stands in a row, what kind of field it is, and how its text is read."""

    kind: str
    """Kind of the field: `tokens`, `text`, `label`, `label_set`, `labels`, `number`, `series` or another."""
    column: str | None = None
    """Name of its column or key; that of the field when null."""
    split: Literal["whitespace", "words"] = "whitespace"
    """How a text becomes tokens: at white space; or `words`, letters and digits together, an apostrophe
    between them included, and any other sign by itself: `Isn't it?` is `Isn't`, `it`, `?`."""
    separator: str | None = Field(default=None, min_length=1)
    """What stands between the parts of a list, the labels of a set say; white space when null."""
    empty: Literal["missing", "none"] = "missing"
    """What an empty cell of a label set means: the labels are `missing`; or there is `none` of them."""
    lowercase: bool = False
    """Read it in lower case."""

    @property
    def fault(self) -> str:
        """What in the settings does not fit together; empty where all does."""
        if self.split == "words" and self.kind != "tokens":
            return f"split: words makes tokens of a text; the kind is {self.kind}"
        if self.split == "words" and self.separator is not None:
            return "split: words and a separator are two ways to cut a text; choose one"
        if self.empty == "none" and self.kind != "label_set":
            return f"empty: none is the set without labels; the kind is {self.kind}"
        return ""


FieldSettings = Annotated[dict[str, str | ColumnConfig], Field(min_length=1)]


class TableConfig(Config):
    """Which columns are read; a row is an example.

    An empty cell, and null in JSON, of a label, a set or a number is a missing one, unless `empty` says
    otherwise: no loss and no figure counts it. JSON may hold lists and numbers where a table has text.
    """

    names: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """Names of the columns of a table without a header; null: its first line names them."""
    fields: FieldSettings = Field(
        default={"tokens": ColumnConfig(kind="tokens", column="text"), "label": "label"},
        validate_default=True,
    )
    """The fields of the examples, each with its kind, or with a mapping of settings."""
    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    """Normal form of Unicode that tokens, texts and labels are brought to; null leaves them as they are."""

    @field_validator("names")
    @classmethod
    def _names_differ(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if twice := next((name for name in names or () if (names or ()).count(name) > 1), None):
            raise ValueError(f"column {twice!r} is named twice")
        return names

    @field_validator("fields")
    @classmethod
    def _fields_can_be_read(
        cls, fields: dict[str, str | ColumnConfig], info: ValidationInfo
    ) -> dict[str, str | ColumnConfig]:
        names = info.data.get("names")
        for field, settings in fields.items():
            column = field if isinstance(settings, str) else settings.column or field
            if not isinstance(settings, str) and settings.fault:
                raise ValueError(f"field {field!r}: {settings.fault}")
            if names is not None and column not in names:
                raise ValueError(
                    f"field {field!r} stands in column {column!r}, which names lacks"
                    f"{did_you_mean(column, names)}; {one_of(names)}"
                )
        return fields


class JsonTableConfig(TableConfig):
    """Which keys are read; a line holds one object, an example.

    null where a label, a set or a number is expected is a missing one: no loss and no figure counts it.
    Tokens are a list of strings, or a text that is split.
    """

    names: None = None
    """Not used: objects name their keys."""


def build_table(config: TableConfig, context: ReaderContext, *, form: Format) -> TableReader:
    """Make the reader of the configured columns; SeqlabError for a kind of field that is not known."""
    from seqlab.builtin.text.readers.tables import Column, TableReader

    kinds = context.kinds
    columns = {}
    for field, written in config.fields.items():
        settings = _settings(written)
        if settings.kind not in kinds:
            hint = did_you_mean(settings.kind, kinds)
            raise SeqlabError(
                f"reader {form}: field {field!r} has the unknown kind {settings.kind!r}{hint};"
                f" {one_of(kinds)}"
            )
        columns[field] = Column(
            name=settings.column or field,
            kind=kinds[settings.kind],
            split=settings.split,
            separator=settings.separator,
            empty=settings.empty,
            lowercase=settings.lowercase,
        )
    return TableReader(form, columns, names=config.names, unicode=config.unicode, refuse=context.refuse)


def _settings(written: str | ColumnConfig) -> ColumnConfig:
    """Return the settings of a field, which may be written as its kind alone."""
    return ColumnConfig(kind=written) if isinstance(written, str) else written


def _table_declared(config: TableConfig) -> Declaration:
    columns = {name: _settings(written) for name, written in config.fields.items()}
    return Declaration(
        fields={name: column.kind for name, column in columns.items()},
        separated=tuple(name for name, column in columns.items() if column.separator is not None),
    )


class PlainTextConfig(Config):
    """How a text becomes tokens, and what an example is."""

    unit: Literal["characters", "words"] = "characters"
    """What a token is: a character, or what stands between white space."""
    by: Literal["line", "file"] = "line"
    """What an example is: a line, blank ones aside, without its end; or the whole file as one stream, in
    which the end of a line is a token, too."""
    start: str | None = Field(default=None, min_length=1)
    """A token to put in front of every example, so that the first one has something before it, too."""
    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    """Normal form of Unicode that the text is brought to; null leaves it as it is."""


def build_plain_text(config: PlainTextConfig, context: ReaderContext) -> PlainTextReader:
    """Make the reader."""
    from seqlab.builtin.text.readers.plain import PlainTextReader

    return PlainTextReader(unit=config.unit, by=config.by, start=config.start, unicode=config.unicode)


def _plain_declared(config: PlainTextConfig) -> Declaration:
    return Declaration(fields={"tokens": "tokens"})


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="conllu",
        config=ConlluConfig,
        build=build_conllu,
        declares=_declared,
        summary="Treebanks of Universal Dependencies: CoNLL-U files, also gzipped",
        skips=True,
    ),
    Component(
        name="csv",
        config=TableConfig,
        build=partial(build_table, form="csv"),
        declares=_table_declared,
        summary="Tables of comma-separated columns, quoted as in RFC 4180: one example a row",
        skips=True,
    ),
    Component(
        name="jsonl",
        config=JsonTableConfig,
        build=partial(build_table, form="jsonl"),
        declares=_table_declared,
        summary="JSON Lines: one example a line, as an object",
        skips=True,
    ),
    Component(
        name="text",
        config=PlainTextConfig,
        build=build_plain_text,
        declares=_plain_declared,
        summary="Plain text, also gzipped: the characters or words of each line, or of a file as one stream",
    ),
    Component(
        name="tsv",
        config=TableConfig,
        build=partial(build_table, form="tsv"),
        declares=_table_declared,
        summary="Tables of columns separated by tabs: one example a row",
        skips=True,
    ),
)
