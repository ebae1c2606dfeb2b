"""What heads answer, and what a trained model returns: values of target fields and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seqlab.plugin.fields import Example, FieldKind

__all__ = ["Answer", "Prediction"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a head answers to one example.

    `value` is of the target field's kind. `score` says how sure the head is of it: a probability, or one for
    each part of the value. `alternatives` are further answers, the best first; `details` is what else the
    head wants to say (attention, intervals, times), by name.
    """

    value: Any
    score: Any = None
    alternatives: tuple[Answer, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One example with what each head answers to it, by target field.

    A value is at hand under the name that its kind has for it, too: `tags` of one label per token, `text`,
    `label`; so are the fields that the model has read (`tokens`) and, of a single answer, its details.
    """

    example: Example
    answers: Mapping[str, Answer]
    kinds: Mapping[str, FieldKind[Any]]
    """The kinds of the fields that the model reads and answers."""

    @property
    def answer(self) -> Answer:
        """The only answer; ValueError where there are several."""
        if len(self.answers) != 1:
            raise ValueError(f"there are several answers, look into answers: {', '.join(self.answers)}")
        return next(iter(self.answers.values()))

    @property
    def value(self) -> Any:
        """The value of the only answer; ValueError where there are several."""
        return self.answer.value

    @property
    def score(self) -> Any:
        """The score of the only answer; ValueError where there are several."""
        return self.answer.score

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in self.__slots__:  # a copy that is not filled yet asks
            raise AttributeError(name)
        named = [target for target in self.answers if _attribute(self.kinds[target]) == name]
        if len(named) > 1:
            raise AttributeError(f"several answers are {name}, look into answers: {', '.join(named)}")
        if named:
            return self.answers[named[0]].value
        if name in self.kinds and name not in self.answers and name in self.example.fields:
            return self.example.fields[name]
        if len(self.answers) == 1 and name in self.answer.details:
            return self.answer.details[name]
        there = ", ".join(sorted({_attribute(self.kinds[target]) for target in self.answers}))
        raise AttributeError(f"a prediction of this model has no {name!r}; it has: {there}")


def _attribute(kind: FieldKind[Any]) -> str:
    return kind.attribute or kind.name
