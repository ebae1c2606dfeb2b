"""A stranger's head: a language model, which learns the field that the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import (
    Alignment,
    Answer,
    Column,
    Component,
    Config,
    Declaration,
    HeadContext,
    Sequences,
    States,
    chosen_field,
    hookimpl,
)

END = "</s>"


class NextConfig(Config):
    """What comes next."""

    target: str = "tokens"
    show: int = 2
    """How many alternatives an answer holds."""


class NextHead:
    alignment: Alignment = "shifted"
    default_metrics: tuple[str, ...] = ()

    def __init__(self, target: str, show: int) -> None:
        self.target = target
        self.show = show
        self.words: list[str] = [END]

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        self.words = [END, *sorted({word for value in values for word in value} - {END})]

    def state(self) -> dict[str, Any]:
        return {"words": self.words}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.words = list(state["words"])

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        """Return for each token the number of the next one; of the last that of the end."""
        ids = {word: number for number, word in enumerate(self.words)}
        return Column.of(
            [[ids.get(word, -1) for word in [*value, END][1:]] if value else [] for value in values]
        )

    def module(self, input_size: int) -> nn.Module:
        return Next(input_size, len(self.words))

    def answers(self, outputs: Tensor) -> list[Answer]:
        """Return what probably follows each sequence, a single token, with its rivals."""
        found: list[Answer] = []
        for best in outputs.topk(min(1 + self.show, len(self.words))).indices.tolist():
            row = outputs[len(found)]
            first, *others = (Answer((self.words[number],), float(row[number])) for number in best)
            found.append(Answer(first.value, first.score, tuple(others)))
        return found


class Next(nn.Module):
    def __init__(self, input_size: int, words: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, words)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        scores = self.project(states.data).float()
        return functional.cross_entropy(scores, target.data, ignore_index=-1, reduction="sum")

    def answer(self, states: States) -> Tensor:
        scores: Tensor = self.project(states.final)
        return scores.float().softmax(dim=-1)


def build(config: NextConfig, context: HeadContext) -> NextHead:
    target = chosen_field("head next_token learns", config.target, ("tokens",), context.fields)
    return NextHead(target, config.show)


def declared(config: NextConfig) -> Declaration:
    return Declaration(field=config.target, kinds=("tokens",), alignment="shifted", default_metrics=())


HEAD = Component(name="next_token", config=NextConfig, build=build, declares=declared, summary="what follows")


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]
