"""A stranger's head: a text generated letter by letter from the final state, by a small GRU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
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

END, UNKNOWN = 0, 1
"""Symbols of the decoder; letters follow."""


class ReplyConfig(Config):
    """A decoder with greedy search."""

    target: str | None = None
    hidden_size: int = 8
    longest: int = 6
    """Letters of an answer at most."""


class ReplyHead:
    alignment: Alignment = "free"
    default_metrics: tuple[str, ...] = ()

    def __init__(self, target: str, hidden_size: int, longest: int) -> None:
        self.target = target
        self.hidden_size = hidden_size
        self.longest = longest
        self.letters: list[str] = []

    def fit(self, values: Iterable[str]) -> None:
        self.letters = sorted({letter for value in values for letter in value})

    def state(self) -> dict[str, Any]:
        return {"letters": self.letters}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.letters = list(state["letters"])

    def encode(self, values: Sequence[str]) -> Column:
        """Return the letters and the end: the loss counts both."""
        ids = {letter: number for number, letter in enumerate(self.letters, start=2)}
        return Column.of([[*(ids.get(letter, -1) for letter in value), END] for value in values])

    def module(self, input_size: int) -> nn.Module:
        return Decoder(input_size, self.hidden_size, 2 + len(self.letters), self.longest)

    def answers(self, outputs: tuple[Tensor, Tensor]) -> list[Answer]:
        return [self._answer(*pair) for pair in zip(*(each.tolist() for each in outputs), strict=True)]

    def _answer(self, symbols: list[int], chances: list[float]) -> Answer:
        length = symbols.index(END) if END in symbols else len(symbols)
        text = "".join(self.letters[symbol - 2] for symbol in symbols[:length])
        return Answer(text, tuple(chances[:length]), details={"complete": END in symbols})


class Decoder(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, symbols: int, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.bridge = nn.Linear(input_size, hidden_size)
        self.embed = nn.Embedding(symbols, hidden_size)
        self.cell = nn.GRUCell(hidden_size, hidden_size)
        self.project = nn.Linear(hidden_size, symbols)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: States, target: Sequences) -> Tensor:
        """Give the decoder the right letter before each (teacher forcing)."""
        gold = target.to_padded(fill=-1)
        hidden, before = self._start(states)
        losses = []
        for symbols in gold.unbind(dim=1):
            hidden = self.cell(self.embed(before), hidden)
            scores = self.project(hidden).float()
            losses.append(functional.cross_entropy(scores, symbols, ignore_index=-1, reduction="sum"))
            before = symbols.masked_fill(symbols < 0, UNKNOWN)
        return torch.stack(losses).sum()

    def answer(self, states: States) -> tuple[Tensor, Tensor]:
        hidden, before = self._start(states)
        symbols, chances = [], []
        for _ in range(self.longest):
            hidden = self.cell(self.embed(before), hidden)
            scores = self.project(hidden).float().softmax(dim=-1)
            scores[:, UNKNOWN] = 0
            best, before = scores.max(dim=-1)
            symbols.append(before)
            chances.append(best)
        return torch.stack(symbols, dim=1), torch.stack(chances, dim=1)

    def _start(self, states: States) -> tuple[Tensor, Tensor]:
        hidden = self.bridge(states.final).tanh()
        return hidden, torch.full((len(states),), END, device=hidden.device)


def build(config: ReplyConfig, context: HeadContext) -> ReplyHead:
    target = chosen_field("head reply learns", config.target, ("text",), context.fields)
    return ReplyHead(target, config.hidden_size, config.longest)


def declared(config: ReplyConfig) -> Declaration:
    return Declaration(field=config.target, kinds=("text",), alignment="free", default_metrics=())


HEAD = Component(name="reply", config=ReplyConfig, build=build, declares=declared, summary="a text in return")


@hookimpl
def seqlab_register_heads() -> list[Component[Any]]:
    return [HEAD]
