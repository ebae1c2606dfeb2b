"""The head `ctc`: texts of sequences without alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from seqlab.api import Component, Config, Declaration, FilePath, HeadContext, chosen_field

if TYPE_CHECKING:
    from seqlab.api import Head
    from seqlab.builtin.speech.heads.units import Units

__all__ = [
    "COMPONENTS",
    "BytePairUnits",
    "CTCConfig",
    "CharacterUnits",
    "PhoneUnits",
]


class CharacterUnits(Config):
    """The characters of the training split's texts, the space among them."""

    name: Literal["characters"] = "characters"
    """Selects these units."""


class BytePairUnits(Config):
    """Pieces of words by byte-pair encoding; needs sentencepiece: `pip install "seqlab[speech]"`."""

    name: Literal["bpe"] = "bpe"
    """Selects these units."""
    vocab_size: int = Field(default=200, ge=2)
    """Number of pieces; each character of the training split is one of them."""


class PhoneUnits(Config):
    """Phones of each word's first pronunciation in a lexicon; answers are words again."""

    name: Literal["phones"] = "phones"
    """Selects these units."""
    lexicon: FilePath
    """UTF-8 file with a word and its phones per line, as CMUdict; relative to the recipe."""


class CTCConfig(Config):
    """A text per sequence, by connectionist temporal classification (Graves et al. 2006), decoded greedily.

    Each text needs as many states as it has units, and one more between two equal ones.
    """

    target: str | None = None
    """Text field to learn; the reader's only one when null."""
    units: Annotated[CharacterUnits | BytePairUnits | PhoneUnits, Field(discriminator="name")] = (
        CharacterUnits()
    )
    """What texts are spelt with: characters, `{name: bpe, vocab_size: N}` or `{name: phones, lexicon: F}`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the states."""
    loss_weight: float = Field(default=1.0, gt=0)
    """Factor on this head's loss, to balance several heads."""


KINDS = ("text",)
"""The kinds of field that it learns."""

METRICS = ("wer", "cer")
"""Those that are reported by default."""


def _ctc(config: CTCConfig, context: HeadContext) -> Head:
    from seqlab.builtin.speech.heads.ctc import CTCHead

    return CTCHead(
        chosen_field("head ctc learns", config.target, KINDS, context.fields),
        _units(config.units),
        dropout=config.dropout,
        loss_weight=config.loss_weight,
    )


def _units(config: CharacterUnits | BytePairUnits | PhoneUnits) -> Units:
    from seqlab.builtin.speech.heads.units import BytePairs, Characters, Phones

    match config:
        case CharacterUnits():
            return Characters()
        case BytePairUnits():
            return BytePairs(config.vocab_size)
        case PhoneUnits():
            return Phones(config.lexicon)


def _declared(config: CTCConfig) -> Declaration:
    pieces = isinstance(config.units, BytePairUnits)
    return Declaration(
        field=config.target,
        kinds=KINDS,
        alignment="monotonic",
        default_metrics=METRICS,
        modules=(("sentencepiece", 'pip install "seqlab[speech]"'),) if pieces else (),
    )


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="ctc",
        config=CTCConfig,
        build=_ctc,
        declares=_declared,
        summary="a text per sequence, without alignment",
    ),
)
