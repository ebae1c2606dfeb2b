"""The head `ctc`: texts of sequences without alignment; and the observer that tells when it goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from seqlab.api import Component, Config, FilePath, HeadContext, ObserverContext, hookimpl
from seqlab.builtin.heads import plugin
from seqlab.builtin.heads.targets import target_field

if TYPE_CHECKING:
    from seqlab.api import Head, Observer
    from seqlab.builtin.heads.units import Units

__all__ = [
    "BytePairUnits",
    "CTCConfig",
    "CTCHintsConfig",
    "CharacterUnits",
    "PhoneUnits",
    "seqlab_recipe_checked",
    "seqlab_register_heads",
    "seqlab_register_observers",
]


OTHERS = frozenset(component.name for component in plugin.seqlab_register_heads())
"""Built-in heads that do not learn by CTC."""


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


class CTCHintsConfig(Config):
    """Warnings with advice where a CTC head answers nothing but blanks, or its loss rises again.

    After each epoch 32 training sequences are answered; it needs neither a dev split nor a metric.
    """

    patience: int = Field(default=5, ge=2)
    """Epochs in a row (at least 300 steps) with empty answers and a loss that stays, before the warning."""


def _ctc(config: CTCConfig, context: HeadContext) -> Head:
    from seqlab.builtin.heads.ctc import CTCHead

    return CTCHead(
        target_field("ctc", config.target, "text", context.fields),
        _units(config.units),
        dropout=config.dropout,
        loss_weight=config.loss_weight,
    )


def _units(config: CharacterUnits | BytePairUnits | PhoneUnits) -> Units:
    from seqlab.builtin.heads.units import BytePairs, Characters, Phones, import_sentencepiece

    match config:
        case CharacterUnits():
            return Characters()
        case BytePairUnits():
            import_sentencepiece()  # missed before anything is read
            return BytePairs(config.vocab_size)
        case PhoneUnits():
            return Phones(config.lexicon)


def _ctc_hints(config: CTCHintsConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.observers.ctc_hints import CTCHints

    return CTCHints(patience=config.patience)


@hookimpl
def seqlab_recipe_checked(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return where `ctc_hints` has no head to watch; of a plugin's it learns when the training starts."""
    heads = recipe["head"] if isinstance(recipe["head"], list) else [recipe["head"]]
    if not OTHERS.issuperset(head["name"] for head in heads):
        return
    for number, observer in enumerate(recipe["observers"]):
        if observer["name"] == "ctc_hints":
            yield f"observers.{number}", "observer ctc_hints watches heads that learn by CTC; there is none"


@hookimpl
def seqlab_register_heads() -> Iterable[Component[Any]]:
    """Return the head `ctc`."""
    return [
        Component(name="ctc", config=CTCConfig, build=_ctc, summary="a text per sequence, without alignment")
    ]


@hookimpl
def seqlab_register_observers() -> Iterable[Component[Any]]:
    """Return the observer `ctc_hints`."""
    return [
        Component(
            name="ctc_hints",
            config=CTCHintsConfig,
            build=_ctc_hints,
            summary="advice where a ctc head answers nothing or diverges",
        )
    ]
