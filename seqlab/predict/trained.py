"""What a trained model in use has, whatever it reads: its parts, its manifest, answers to examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from seqlab.api import Example
from seqlab.assembly import Assembly
from seqlab.contract import Values
from seqlab.engine import Answers, SequenceModel, answer
from seqlab.engine.precision import resolve
from seqlab.predict.scoring import BATCH
from seqlab.settings import Precision

__all__ = ["Answered", "TrainedModel", "hears", "windows"]

Item = TypeVar("Item")

Answered: TypeAlias = tuple[Example, dict[str, Any], dict[str, tuple[float, ...]]]
"""An example, what each head answers, and the probabilities of it."""


def hears(assembly: Assembly) -> bool:
    """Return whether a featurizer of these parts reads sound."""
    return "audio" in {assembly.reader.fields[featurizer.field] for featurizer in assembly.featurizers}


class TrainedModel:
    """A model package ready for use, safe to share between threads.

    Answers depend on the sequence alone, never on what else is predicted with it, up to rounding. `info` is
    the package's manifest: recipe, metrics, versions. `precision` is that of all matrix products, fp32 or
    bf16; it stays, since the model keeps what it has computed from one call to the next.
    """

    def __init__(
        self,
        assembly: Assembly,
        model: SequenceModel,
        info: Mapping[str, Any],
        *,
        precision: Precision = "fp32",
    ) -> None:
        self.assembly = assembly
        self.model = model.eval()
        self.info = info
        self.precision = resolve(precision, next(self.model.parameters()).device)

    def answers(self, examples: Sequence[Example]) -> dict[str, Answers]:
        """Return what each head answers to a reader's examples, as ids, in batches by length."""
        if not examples:
            return {}
        data = self.assembly.encode(self.assembly.normalized(examples), labelled=False)
        return answer(self.model, data, BATCH, precision=self.precision)

    def answer(self, examples: Sequence[Example]) -> Iterator[Answered]:
        """Answer a reader's examples, in batches by length; yields each with what the heads answer.

        The model sees them in the reader's normal form; they come back as they were. All are held in memory
        at once.
        """
        if not examples:
            return
        answers, heads = self.answers(examples), self.assembly.heads
        for number, example in enumerate(examples):
            ids = {name: Values(answers[name].ids[number], [example]) for name in heads}
            decoded = {name: head.decode(ids[name]) for name, head in heads.items()}
            sure = {name: tuple(answers[name].probabilities[number]) for name in heads}
            yield example, decoded, sure


def windows(
    items: Iterable[Item], size: Callable[[Item], float], limit: float, most: int
) -> Iterator[list[Item]]:
    """Cut a stream into lists, each closed as soon as its sizes reach `limit` or it holds `most` items.

    Empty items cost memory, too: hence the second bound. Where the stream ends with an error, what came
    before it is yielded first.
    """
    window: list[Item] = []
    room = limit
    try:
        for item in items:
            window.append(item)
            room -= size(item)
            if room <= 0 or len(window) >= most:
                yield window
                window, room = [], limit
    except Exception:
        if window:
            yield window
        raise
    if window:
        yield window
