from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from contract import Configs, registered, rows
from torch import Tensor, nn

from seqlab.api import Answer, Column, Component, Config, FieldKind, HeadContext, Piece, Sequences
from seqlab.builtin.speech.heads.ctc import CTC, CTCHead
from seqlab.builtin.speech.heads.units import Characters
from seqlab.testing import check_head

Read = tuple[Sequences, Sequences]

TABLE: Configs = {
    "tagging": [
        {},
        {"target": "labels", "loss_weight": 0.5},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
        {"class_weights": {"NOUN": 3.0}, "label_smoothing": 0.2},
    ],
    "classify": [
        {"target": "label"},
        {"target": "label", "pooling": "mean", "label_smoothing": 0.1},
        {"target": "label", "pooling": "max", "class_weights": "balanced", "loss_weight": 0.5},
        {"target": "label", "pooling": "attention", "dropout": 0.3, "n_best": 1},
        {"target": "label_set"},
        {"target": "label_set", "pooling": "attention", "class_weights": {"news": 3.0}},
        {"target": "label_set", "pooling": "max", "label_smoothing": 0.2, "threshold": 0.1},
    ],
    "language_model": [{}, {"end": True, "alternatives": 0}, {"activation_l2": 2.0, "temporal_l2": 1.0}],
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

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        scores = self.linear(states.data)
        return nn.functional.cross_entropy(scores, target.data, ignore_index=-1, reduction="sum")

    def answer(self, states: Sequences) -> Read:
        best, ids = self.linear(states.data).softmax(-1).max(-1)
        return states.with_data(ids), states.with_data(best)


class Averages(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target) / self.count(target, states.lengths).clamp(min=1)


class LossPerRow(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target).expand(2)


class InfiniteLoss(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target) * torch.inf


class CountsBatches(Module):
    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(1)


class CountsUnseenLabels(Module):
    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(len(target.data))


class LearnsUnseenLabels(Module):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target.with_data(target.data.clamp(min=0)))


class Logits(Module):
    def answer(self, states: Sequences) -> Read:
        ids, probabilities = super().answer(states)
        return ids, probabilities.with_data(probabilities.data.log())


class AnswersByTheBatch(Module):
    def answer(self, states: Sequences) -> Read:
        ids, probabilities = super().answer(states)
        return ids.with_data((ids.data + len(states)) % self.linear.out_features), probabilities


class SureByTheBatch(Module):
    def answer(self, states: Sequences) -> Read:
        ids, probabilities = super().answer(states)
        return ids, probabilities.with_data(probabilities.data / len(states))


class DeadParameter(Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__(input_size, labels)
        self.dead = nn.Parameter(torch.ones(1))


class HidesWeights(Module):
    def __init__(self, input_size: int, labels: int) -> None:
        super().__init__(input_size, labels)
        self.share = float(torch.rand(()))

    def answer(self, states: Sequences) -> Read:
        ids, probabilities = super().answer(states)
        return ids, probabilities.with_data(probabilities.data * self.share)


class Good:
    target = "labels"
    alignment: Any = "per_state"
    default_metrics: Any = ("accuracy",)
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

    def answers(self, outputs: Read) -> list[Answer]:
        ids, probabilities = (each.to_list() for each in outputs)
        return [
            Answer([self.labels[number] for number in row], tuple(sure.tolist()))
            for row, sure in zip(ids, probabilities, strict=True)
        ]

    def module(self, input_size: int) -> nn.Module:
        return self.make(input_size, len(self.labels))


class ForgetsItsLabels(Good):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])[::-1]


class ForgetsWhatItAnswers(Good):
    """Keeps the ids, and not the names that it answers with."""

    def fit(self, values: Iterable[Any]) -> None:
        super().fit(values)
        self.names = self.labels

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.names = self.labels[::-1]

    def answers(self, outputs: Read) -> list[Answer]:
        names = dict(zip(self.labels, self.names, strict=True))
        return [
            replace(each, value=[names[label] for label in each.value]) for each in super().answers(outputs)
        ]


class Changes(Good):
    """Changes its good answers."""

    def answers(self, outputs: Read) -> list[Any]:
        return [self.change(answer) for answer in super().answers(outputs)]

    def change(self, answer: Answer) -> Any:
        raise NotImplementedError


class AnswersBare(Changes):
    def change(self, answer: Answer) -> Any:
        return answer.value


class AnswersWithoutTheLast(Changes):
    def change(self, answer: Answer) -> Answer:
        return replace(answer, value=answer.value[:-1])


class AnswersWithNumbers(Changes):
    def change(self, answer: Answer) -> Answer:
        return replace(answer, value=[self.labels.index(label) for label in answer.value])


class AnswersWithNothing(Changes):
    def change(self, answer: Answer) -> Answer:
        return replace(answer, value=[None] * len(answer.value))


class AlternativesOfAnotherKind(Changes):
    def change(self, answer: Answer) -> Answer:
        return replace(answer, alternatives=(Answer(1.0),))


class OneScoreTooFew(Changes):
    def change(self, answer: Answer) -> Answer:
        return replace(answer, score=answer.score[1:])


class TakesLabelsForOthers(Changes):
    def change(self, answer: Answer) -> Answer:
        others = dict(zip(self.labels, self.labels[1:] + self.labels[:1], strict=True))
        return replace(answer, value=[others[label] for label in answer.value])


class AnswersTheFirstOnly(Good):
    def answers(self, outputs: Read) -> list[Answer]:
        return super().answers(outputs)[:1]


class LearnsNothingOfTheField(Good):
    target = "lable"


class OfNoAlignment(Good):
    alignment = "per_label"


class WithOneMetric(Good):
    default_metrics = "accuracy"


def component(
    made: Callable[[], Any] = Good, module: type[nn.Module] | None = None, name: str = "mine"
) -> Component[Any]:
    def build(config: Config, context: HeadContext) -> Any:
        head = made()
        if module is not None:
            head.make = module
        return head

    return Component(name=name, config=Config, build=build, summary="for the tests")


def test_a_head_that_keeps_the_contract_passes() -> None:
    check_head(component())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Averages, "summed alone, the loss: differs by up to "),
        (LossPerRow, "the loss has shape (2,), not ()"),
        (InfiniteLoss, "the loss is inf"),
        (CountsBatches, "summed alone, the count: differs by up to 2"),
        (CountsUnseenLabels, "a value never seen in training is counted"),
        (LearnsUnseenLabels, "a value never seen in training has a loss"),
        (Logits, "a score is -"),
        (AnswersByTheBatch, "sequence 0 alone is answered otherwise"),
        (SureByTheBatch, "sequence 0 alone: the scores: differs by up to "),
        (DeadParameter, "no gradient reaches dead"),
        (HidesWeights, "after a round trip through the state dict the answer: differs by up to "),
    ],
)
def test_a_broken_module_is_told_what_is_broken(broken: type[Module], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(component(module=broken))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (LearnsNothingOfTheField, "the target is 'lable'; one of: audio, "),
        (OfNoAlignment, "the head was built with alignment 'per_label' (str); "),
        (WithOneMetric, "the head was built with default_metrics 'accuracy' (str) where a tuple of strings"),
        (ForgetsItsLabels, "after a round trip of the state through JSON, targets are encoded otherwise"),
        (ForgetsWhatItAnswers, "after a round trip of the state through JSON, the answer ['"),
        (AnswersTheFirstOnly, "3 sequences have 1 answers"),
        (AnswersBare, "the head returns list of 3 where an Answer is expected"),
        (AnswersWithNumbers, "the head returns an Answer whose value is a list that holds "),
        (AnswersWithNothing, "the head returns an Answer whose value is a list that holds None where"),
        (
            AlternativesOfAnotherKind,
            "the head returns an Answer with, among its alternatives, an Answer whose",
        ),
        (AnswersWithoutTheLast, "there is not one answer per state"),
        (OneScoreTooFew, "there is not one score for each part of the answer"),
        (
            TakesLabelsForOthers,
            "having learned ('DET', 'NOUN', 'VERB') by heart, it answers ['NOUN', 'PUNCT'",
        ),
    ],
)
def test_a_broken_head_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(component(broken))


# --- heads that answer with a text -----------------------------------------------------------------------


class InfiniteWithoutRoom(CTC):
    """Counts, and learns from, targets for which there are too few states."""

    def _needed(self, target: Sequences) -> Tensor:
        return torch.where((target.data >= 0).all(), 0, super()._needed(target))


class TextHead(CTCHead):
    make: type[CTC] = CTC

    def __init__(self) -> None:
        super().__init__("text", Characters())

    def module(self, input_size: int) -> nn.Module:
        return self.make(input_size, len(self.units.names))


class NeedsOneStatePerUnit(TextHead):
    """Forgets the blank between equal units."""

    def states_needed(self, values: Sequence[str]) -> list[int]:
        return [len(value) for value in values]


class NeedsTooMuch(TextHead):
    def states_needed(self, values: Sequence[str]) -> list[int]:
        return [2 * len(value) for value in values]


class AnswersBackwards(TextHead):
    def answers(self, outputs: Any) -> list[Answer]:
        return [replace(answer, value=answer.value[::-1]) for answer in super().answers(outputs)]

    def join(self, answers: Sequence[Answer | None], pieces: Sequence[Piece[Any]]) -> Answer:
        answer = super().join(answers, pieces)
        return replace(answer, value=answer.value[::-1])


class JoinsNothing(TextHead):
    def join(self, answers: Sequence[Answer | None], pieces: Sequence[Piece[Any]]) -> Answer:
        return Answer("no more")


class LosesWhatStandsAmongBlanks(TextHead):
    def join(self, answers: Sequence[Answer | None], pieces: Sequence[Piece[Any]]) -> Answer:
        return super().join(answers[:1], pieces[:1])


def test_a_head_of_texts_that_keeps_the_contract_passes() -> None:
    check_head(component(TextHead))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (
            component(TextHead, InfiniteWithoutRoom),
            "with fewer than the 7 states that 'one two' needs, ",
        ),
        (component(NeedsOneStatePerUnit), "with the 13 states that 'three one one' needs, the loss is 0"),
        (component(NeedsTooMuch), "with fewer than the 14 states that 'one two' needs, the loss is "),
        (component(AnswersBackwards), "having learned 'one two' by heart, it answers 'owt eno'"),
        (component(JoinsNothing), "joined, the one piece of sequence 0 is another"),
        (component(LosesWhatStandsAmongBlanks), "joined with blank ones, the one piece of sequence 0 is"),
    ],
)
def test_a_broken_head_of_texts_is_told_what_is_broken(component: Component[Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(component)


# --- heads of any other kind -----------------------------------------------------------------------------


class Summed(nn.Module):
    """Scores of the whole sequence, from its summary; a missing target costs nothing."""

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, size)

    def _scores(self, states: Any) -> Tensor:
        scores: Tensor = self.linear(states.final)
        return scores


class OneLabel(Summed):
    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return nn.functional.cross_entropy(
            self._scores(states), target.to_flat(), ignore_index=-1, reduction="sum"
        )

    def answer(self, states: Sequences) -> Tensor:
        return self._scores(states).softmax(-1)


class LabelHead(Good):
    target = "label"
    alignment = "per_sequence"

    def fit(self, values: Iterable[Any]) -> None:
        self.labels = sorted({label for label in values if label is not None})

    def encode(self, values: Sequence[Any]) -> Column:
        ids = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(label, -1)] for label in values])

    def answers(self, outputs: Any) -> list[Answer]:
        return [self.best([float(each) for each in row]) for row in outputs]

    def best(self, row: list[float]) -> Answer:
        ranked = sorted(zip(row, self.labels, strict=True), reverse=True)
        first, *others = (Answer(label, score) for score, label in ranked)
        return replace(first, alternatives=tuple(others))

    def module(self, input_size: int) -> nn.Module:
        return OneLabel(input_size, len(self.labels))


class SwapsLabels(LabelHead):
    def best(self, row: list[float]) -> Answer:
        return super().best(row[::-1])


class ManyLabels(Summed):
    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (target.data[:, 0] >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        rows = target.to_flat()
        known = (rows[:, :1] >= 0).float()
        losses = nn.functional.binary_cross_entropy_with_logits(
            self._scores(states), rows.clamp(min=0).float(), reduction="none"
        )
        return (losses * known).sum()

    def answer(self, states: Sequences) -> Tensor:
        return self._scores(states).sigmoid()


class SetHead(Good):
    target = "label_set"
    alignment = "per_sequence"

    def fit(self, values: Iterable[Any]) -> None:
        self.labels = sorted({label for value in values for label in value or ()})

    def encode(self, values: Sequence[Any]) -> Column:
        rows = [[-1 if value is None else int(label in value) for label in self.labels] for value in values]
        return Column(torch.tensor(rows), torch.ones(len(rows), dtype=torch.int64))

    def answers(self, outputs: Any) -> list[Answer]:
        rows = ([float(each) for each in row] for row in outputs)
        return [Answer({label for label, score in self.scored(row) if score > 0.5}) for row in rows]

    def scored(self, row: list[float]) -> Iterable[tuple[str, float]]:
        return zip(self.labels, row, strict=True)

    def module(self, input_size: int) -> nn.Module:
        return ManyLabels(input_size, len(self.labels))


class SwapsLabelsOfSets(SetHead):
    def scored(self, row: list[float]) -> Iterable[tuple[str, float]]:
        return super().scored(row[::-1])


class Numbers(Summed):
    """One number, or several in a row, with nan for what is missing."""

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return (~target.data.isnan()).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        wanted = target.data
        found = self._scores(states)[target.layout.items, 0]
        return torch.where(wanted.isnan(), 0.0, (found - wanted.nan_to_num()) ** 2).sum()

    def answer(self, states: Sequences) -> Tensor:
        return self._scores(states)[:, 0]


class LearnsMissingNumbers(Numbers):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target.with_data(target.data.nan_to_num()))


class NumberHead(Good):
    target = "number"
    alignment = "per_sequence"
    make: Any = Numbers

    def fit(self, values: Iterable[Any]) -> None:
        self.largest = max(abs(value) for value in values if value is not None)

    def state(self) -> dict[str, Any]:
        return {"largest": self.largest}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.largest = state["largest"]

    def encode(self, values: Sequence[Any]) -> Column:
        rows = [torch.nan if value is None else value / self.largest for value in values]
        return Column(torch.tensor(rows), torch.ones(len(rows), dtype=torch.int64))

    def answers(self, outputs: Any) -> list[Answer]:
        return [
            Answer(value * self.largest, details={"interval": (value - 1, value + 1)})
            for value in outputs.tolist()
        ]

    def module(self, input_size: int) -> nn.Module:
        made: nn.Module = self.make(input_size, 1)
        return made


class AnswersWithWords(NumberHead):
    def answers(self, outputs: Any) -> list[Answer]:
        return [replace(answer, value=str(answer.value)) for answer in super().answers(outputs)]


class SeriesHead(NumberHead):
    """Answers as many equal numbers as it likes: any series is one of the kind."""

    target = "series"
    alignment = "free"

    def fit(self, values: Iterable[Any]) -> None:
        self.largest = max(abs(each) for value in values for each in value)

    def encode(self, values: Sequence[Any]) -> Column:
        rows = [each / self.largest for value in values for each in value]
        return Column(torch.tensor(rows), torch.tensor([len(value) for value in values]))

    def answers(self, outputs: Any) -> list[Answer]:
        return [replace(answer, value=[answer.value] * 2) for answer in super().answers(outputs)]


class AnswersOneNumber(SeriesHead):
    def answers(self, outputs: Any) -> list[Answer]:
        return [replace(answer, value=answer.value[0]) for answer in super().answers(outputs)]


@pytest.mark.parametrize("made", [LabelHead, SetHead, NumberHead, SeriesHead])
def test_heads_of_any_kind_are_served(made: type[Good]) -> None:
    check_head(component(made))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (component(SwapsLabels), "having learned 'bad' by heart, it answers 'good'"),
        (component(SwapsLabelsOfSets), "having learned ('sport',) by heart, it answers {'news'}"),
        (component(NumberHead, LearnsMissingNumbers), "a missing value has a loss: "),
        (component(AnswersWithWords), "the head returns an Answer whose value is '"),
        (component(AnswersOneNumber), "the head returns an Answer whose value is "),
    ],
)
def test_a_broken_head_of_another_kind_is_told_what_is_broken(broken: Component[Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_head(broken)


class Grade(FieldKind[Any]):
    """A kind of the test's own."""

    name = "grade"
    summary = "a letter"
    samples = ("A", "B", "A")
    lacking = (None,) * 3

    def fault(self, value: Any) -> str:
        return "" if value is None or value in set("ABC") else f"{value!r} is no grade"

    answer_fault = fault


class GradeHead(LabelHead):
    target = "grade"


def test_a_head_of_a_kind_of_its_own_is_served_where_the_kind_is_named() -> None:
    check_head(component(GradeHead), [Grade()])
    with pytest.raises(AssertionError, match=r"^the target is 'grade'; one of: "):
        check_head(component(GradeHead))
