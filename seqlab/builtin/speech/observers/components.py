"""The observer `ctc_hints`: advice where training by CTC goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seqlab.api import Component, Config, ObserverContext

if TYPE_CHECKING:
    from seqlab.api import Observer

__all__ = ["COMPONENTS", "CTCHintsConfig", "problems"]

OTHER_HEADS = frozenset({"classify", "language_model", "tagging"})
"""Built-in heads that do not learn by CTC."""


class CTCHintsConfig(Config):
    """Warnings with advice where a CTC head answers nothing but blanks, or its loss rises again.

    After each epoch 32 training sequences are answered; it needs neither a dev split nor a metric.
    """

    patience: int = Field(default=5, ge=2)
    """Epochs in a row (at least 300 steps) with empty answers and a loss that stays, before the warning."""


def _ctc_hints(config: CTCHintsConfig, context: ObserverContext) -> Observer:
    from seqlab.builtin.speech.observers.ctc_hints import CTCHints

    return CTCHints(patience=config.patience)


def problems(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return where `ctc_hints` has no head to watch; of a plugin's it learns when the training starts."""
    heads = recipe["head"] if isinstance(recipe["head"], list) else [recipe["head"]]
    if not OTHER_HEADS.issuperset(head["name"] for head in heads):
        return
    for number, observer in enumerate(recipe["observers"]):
        if observer["name"] == "ctc_hints":
            yield f"observers.{number}", "observer ctc_hints watches heads that learn by CTC; there is none"


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="ctc_hints",
        config=CTCHintsConfig,
        build=_ctc_hints,
        summary="advice where a ctc head answers nothing or diverges",
    ),
)
