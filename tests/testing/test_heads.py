from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
import torch
from contract import Configs, registered, rows
from torch import Tensor, nn

from seqlab.api import Column, Component, Config, HeadContext, Sequences
from seqlab.builtin.speech.heads.ctc import CTC, CTCHead
from seqlab.builtin.speech.heads.units import Characters
from seqlab.testing import check_head

TABLE: Configs = {
    "tagging": [
        {},
        {"target": "labels", "loss_weight": 0.5},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
        {"class_weights": {"NOUN": 3.0}, "label_smoothing": 0.2},
    ],
    "ctc": [{}, {"units": {"name": "bpe", "vocab_size": 12}}],
}


def test_every_built_in_head_stands_in_the_table() -> None:
    assert registered("head").keys() == TABLE.keys()


@pytest.mark.parametrize(("component", "config"), rows("head", TABLE))
def test_built_in_heads_keep_the_contract(component: Component[Any], config: dict[str, Any]) -> None:
    check_head(component, **config)


class Module(nn.Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, labels)

    def count(self, target: Sequences) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        scores = self.linear(states.data)
        return nn.functional.cross_entropy(scores, target.data, ignore_index=-1, reduction="sum")

    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        best, ids = self.linear(states.data).softmax(-1).max(-1)
        return states.with_data(ids), states.with_data(best)


class Averages(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target) / self.count(target).clamp(min=1)


class LossPerRow(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target).expand(2)


class InfiniteLoss(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target) * torch.inf


class CountsBatches(Module):
    def count(self, target: Sequences) -> Tensor:
        return torch.tensor(1)


class CountsUnseenLabels(Module):
    def count(self, target: Sequences) -> Tensor:
        return torch.tensor(len(target.data))


class LearnsUnseenLabels(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target.with_data(target.data.clamp(min=0)))


class AnswersWithoutTheLast(Module):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        pairs = [
            Sequences.from_list([row[:-1] for row in each.to_list()]) for each in super().predict(states)
        ]
        return pairs[0], pairs[1]


class Logits(Module):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities = super().predict(states)
        return ids, probabilities.with_data(probabilities.data.log())


class AnswersByTheBatch(Module):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities = super().predict(states)
        return ids.with_data(ids.data + len(states)), probabilities


class SureByTheBatch(Module):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities = super().predict(states)
        return ids, probabilities.with_data(probabilities.data / len(states))


class DeadParameter(Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__(input_size, labels)
        self.dead = nn.Parameter(torch.ones(1))


class HidesWeights(Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__(input_size, labels)
        self.share = float(torch.rand(()))

    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities = super().predict(states)
        return ids, probabilities.with_data(probabilities.data * self.share)


class Good:
    target = "labels"
    default_metrics = ("accuracy",)
    make: type[Module] = Module

    def __init__(self) -> None:
        self.labels: list[str] = []

    def fit(self, values: Iterable[Any]) -> None:
        self.labels = sorted({label for value in values for label in value if label is not None})

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])

    def encode(self, values: Sequence[Any]) -> Column:
        ids = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(label, -1) for label in value] for value in values])

    def decode(self, ids: Sequence[int]) -> list[str]:
        return [self.labels[number] for number in ids]

    def module(self, input_size: int) -> nn.Module:
        return self.make(input_size, len(self.labels))


class ForgetsItsLabels(Good):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])[::-1]


def component(made: type[Good] = Good, module: type[Module] = Module) -> Component[Any]:
    def build(config: Config, context: HeadContext) -> Good:
        head = made()
        head.make = module
        return head

    return Component(name="mine", config=Config, build=build, summary="for the tests")


def test_a_head_that_keeps_the_contract_passes() -> None:
    check_head(component())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Averages, "summed alone, the loss: differs by up to "),
        (LossPerRow, "the loss has shape (2,), not ()"),
        (InfiniteLoss, "the loss is inf"),
        (CountsBatches, "summed alone, the count: differs by up to 2"),
        (CountsUnseenLabels, "a label never seen in training is counted"),
        (LearnsUnseenLabels, "a label never seen in training has a loss"),
        (AnswersWithoutTheLast, "there is not one answer per state"),
        (Logits, "a probability is not in 0 to 1"),
        (AnswersByTheBatch, "sequence 0 alone is answered otherwise"),
        (SureByTheBatch, "sequence 0 alone: the probabilities: differs by up to "),
        (DeadParameter, "no gradient reaches dead"),
        (HidesWeights, "after a round trip through the state dict the answer: differs by up to "),
    ],
)
def test_a_broken_head_is_told_what_is_broken(broken: type[Module], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(component(module=broken))


def test_a_head_that_forgets_its_labels_is_told_so() -> None:
    with pytest.raises(AssertionError, match=re.escape("labels ('DET', 'NOUN', 'VERB') come back as ")):
        check_head(component(ForgetsItsLabels))


# --- heads that answer with a text -----------------------------------------------------------------------


class InfiniteWithoutRoom(CTC):
    def fits(self, lengths: Tensor, target: Sequences) -> Tensor:
        return (target.data >= 0).all().expand(len(target))


class DecodesBesideTheAnswer(CTC):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities = super().predict(states)
        return ids, Sequences.from_list([*probabilities.to_list()[1:], probabilities.to_list()[0]])


class ReadsBehindTheEnd(CTC):
    def predict_aligned(self, states: Sequences) -> tuple[Sequences, Sequences, Sequences]:
        ids, probabilities, read = super().predict_aligned(states)
        return ids, probabilities, read.with_data(read.data + 99)


class AnswersOtherwiseAligned(CTC):
    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        ids, probabilities, _ = self.predict_aligned(states)
        return ids, probabilities.with_data(probabilities.data / 2)


class TextHead(CTCHead):
    make: type[CTC] = CTC

    def module(self, input_size: int) -> nn.Module:
        return self.make(input_size, len(self.units.names))


class NeedsOneStatePerUnit(TextHead):
    """Forgets the blank between equal units."""

    def shortest(self, values: Sequence[str]) -> list[int]:
        return [len(value) for value in values]


class NeedsTooMuch(TextHead):
    def shortest(self, values: Sequence[str]) -> list[int]:
        return [2 * len(value) for value in values]


class AnswersBackwards(TextHead):
    def decode(self, ids: Sequence[int]) -> str:
        return super().decode(ids)[::-1]


def text_component(made: type[TextHead] = TextHead, module: type[CTC] = CTC) -> Component[Any]:
    def build(config: Config, context: HeadContext) -> TextHead:
        head = made("text", Characters())
        head.make = module
        return head

    return Component(name="mine", config=Config, build=build, summary="for the tests")


def test_a_head_of_texts_that_keeps_the_contract_passes() -> None:
    check_head(text_component())


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (
            text_component(module=InfiniteWithoutRoom),
            "with fewer than the 7 states that 'one two' needs, the",
        ),
        (text_component(module=DecodesBesideTheAnswer), "there is not one probability per answer"),
        (text_component(module=ReadsBehindTheEnd), "sequence 0: ids are read from states "),
        (text_component(module=AnswersOtherwiseAligned), "predict_aligned answers otherwise than predict"),
        (
            text_component(NeedsOneStatePerUnit),
            "with the 13 states that 'three one one' needs, the loss is 0",
        ),
        (text_component(NeedsTooMuch), "with fewer than the 14 states that 'one two' needs, the loss is "),
        (text_component(AnswersBackwards), "units one two come back as owt eno"),
    ],
)
def test_a_broken_head_of_texts_is_told_what_is_broken(component: Component[Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(component)
