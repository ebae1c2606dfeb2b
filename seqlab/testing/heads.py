"""The contract of heads, whatever they answer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import Answer, Component, Example, FieldKind, Head, HeadContext, Piece, Place, Sequences
from seqlab.contract import answer_fault, attribute_fault
from seqlab.engine import HeadModule
from seqlab.engine.seeding import seeded
from seqlab.plugin.kinds import IN_STEP
from seqlab.suggest import one_of
from seqlab.testing.kinds import fields_of, known_kinds
from seqlab.testing.modules import assert_close, check_gradients, check_weights_round_trip, gathered, varied

__all__ = ["check_head"]

INPUT_SIZE = 6
SPARE = 2
"""States that a target has beyond the least number that it needs."""

LENGTHS = (4, 1, 6, 3, 2, 5)
"""Numbers of states where a target asks for none in particular."""

WIDE = 48
"""The size of states from which samples are learned by heart: more than there are states."""

STEPS, LOOKS = 301, 20
"""Steps in which they are learned, and how many of them lie between two looks at the answers."""

LEARNED = 0.25
"""The share of the first loss below which they are known by heart."""


@seeded(0)
def check_head(component: Component[Any], kinds: Iterable[FieldKind[Any]] = (), **config: Any) -> None:
    """Build a head and check its contract, with targets of whatever kind of field it learns.

    The reader that it is told of has one field of each kind, with the kind's own name: seqlab's, and `kinds`
    of the caller's. Targets are the kind's `samples`.

    - Targets are encoded and answers made as before after a round trip of what was learned through JSON.
    - Loss and count of a batch are the sums of those of its sequences, and the loss is finite.
    - There is one `Answer` for each sequence, its value and those of its alternatives of the target's kind,
      its scores, where there are any, in 0 to 1, one for all or one for each part; it does not depend on the
      batch.
    - The answer has as many parts as there are states where the alignment says so.
    - A module that has learned the samples by heart answers with them, where they are made of strings and
      each part has its place: no label is taken for another, no text is read backwards.
    - A target of nothing but -1, as labels that training never saw, costs nothing; nor does a missing one,
      from which nothing is learned.
    - A finite gradient reaches every parameter, and the weights survive a round trip.
    - Where it has `join`, a value that is one piece, or one among blank ones, has the same answer joined.
    - Where it has `states_needed`, a target has a loss with so many states, and none with one state fewer.
    """
    known = known_kinds(kinds)
    head = _build(component, config, known)
    fault = attribute_fault("head", head)
    assert not fault, f"the head {fault}"
    assert head.target in known, f"the target is {head.target!r}; {one_of(known)}"
    kind = known[head.target]
    assert kind.samples, f"field kind {kind.name!r} has no samples to check a head with"
    head.fit([*kind.samples, *kind.lacking])
    again = _build(component, config, known)
    again.restore(json.loads(json.dumps(head.state())))
    _carry_files(head, again)
    _check_learned(head, again, kind)
    module = varied(head.module(INPUT_SIZE))
    case = _Case(head, kind, module, _states(_lengths(head, kind)))
    _check_sums(case)
    _check_answers(case)
    _check_restored(case, again)
    _check_by_heart(case)
    _check_without_loss(case)
    if hasattr(head, "states_needed"):
        _check_states_needed(case)
    target = _target(head, kind.samples)
    check_gradients(module, lambda: case.contract.loss(case.batch, target))
    check_weights_round_trip(module, again.module(INPUT_SIZE), lambda other: _answer(case, other))


@dataclass(frozen=True)
class _Case:
    """A fitted head with its module, a batch of states, and targets of its kind."""

    head: Head
    kind: FieldKind[Any]
    module: nn.Module
    batch: Sequences

    @property
    def contract(self) -> HeadModule:
        return cast("HeadModule", self.module)

    def answers(self, states: Sequences) -> Sequence[Answer]:
        return _answers(self.head, self.contract, states)

    def same(self, one: Any, other: Any) -> bool:
        """Compare values of the target's kind by what they are in JSON."""
        return _same(self.kind.to_json(one), self.kind.to_json(other))


@torch.inference_mode()
def _answers(head: Head, module: HeadModule, states: Sequences) -> Sequence[Answer]:
    return head.answers(module.answer(states))


def _build(component: Component[Any], config: dict[str, Any], known: dict[str, FieldKind[Any]]) -> Head:
    head: Head = component.build(component.config(**config), HeadContext(fields_of(known), known))
    return head


def _lengths(head: Head, kind: FieldKind[Any]) -> Sequence[int]:
    """Return how many states each sample has, by what the alignment asks for."""
    if head.alignment in IN_STEP:
        lengths: list[int] = head.encode(kind.samples).lengths.tolist()
        return lengths
    least = head.states_needed(kind.samples) if hasattr(head, "states_needed") else LENGTHS
    return [length + SPARE for length, _ in zip(least, kind.samples, strict=False)]


def _states(lengths: Sequence[int], size: int = INPUT_SIZE) -> Sequences:
    generator = torch.Generator().manual_seed(2)
    return Sequences.from_list([torch.randn(length, size, generator=generator) for length in lengths])


def _target(head: Head, values: Sequence[Any]) -> Sequences:
    target = gathered(head.encode(values), list(range(len(values))))
    assert isinstance(target, Sequences), "targets are plain sequences"
    return target


def _answer(case: _Case, module: nn.Module) -> Tensor:
    """Return the loss of the batch, on which every weight has its part, and all scores."""
    contract = cast("HeadModule", module)
    answers = _answers(case.head, contract, case.batch)
    scores = [score for each in answers for score in _scores(each)]
    loss = contract.loss(case.batch, _target(case.head, case.kind.samples))
    return torch.cat([loss.detach().float()[None], torch.tensor(scores)])


def _scores(answer: Answer) -> Iterator[float]:
    scores = [answer.score] if isinstance(answer.score, Real) else answer.score
    for score in [] if scores is None else scores:
        yield float(score)


def _check_learned(head: Head, again: Head, kind: FieldKind[Any]) -> None:
    one, other = head.encode(kind.samples), again.encode(kind.samples)
    assert len(one.lengths) == len(kind.samples), f"{len(kind.samples)} targets give {len(one.lengths)} items"
    same = torch.equal(one.lengths, other.lengths) and torch.equal(one.values, other.values)
    assert same, "after a round trip of the state through JSON, targets are encoded otherwise"


def _check_sums(case: _Case) -> None:
    head, values = case.head, case.kind.samples
    target = _target(head, values)
    loss, count = case.contract.loss(case.batch, target), case.contract.count(target, case.batch.lengths)
    assert loss.shape == (), f"the loss has shape {tuple(loss.shape)}, not ()"
    assert torch.isfinite(loss), f"the loss is {float(loss.detach())}"
    assert float(count) > 0, f"the count is {float(count)}"
    singles = [
        (Sequences.from_list([each]), _target(head, [value]))
        for each, value in zip(case.batch.to_list(), values, strict=True)
    ]
    losses = (case.contract.loss(*single) for single in singles)
    assert_close(sum(losses, torch.zeros(())), loss, "summed alone, the loss")
    counts = (case.contract.count(target, states.lengths) for states, target in singles)
    assert_close(sum(counts, torch.zeros(())).float(), count.float(), "summed alone, the count")


def _check_answers(case: _Case) -> None:
    answers = case.answers(case.batch)
    assert len(answers) == len(case.batch), f"{len(case.batch)} sequences have {len(answers)} answers"
    for number, (answer, states) in enumerate(zip(answers, case.batch.to_list(), strict=True)):
        _check_answer(case, answer, len(states))
        alone = Sequences.from_list([states])
        (single,) = case.answers(alone)
        assert case.same(single.value, answer.value), f"sequence {number} alone is answered otherwise"
        one, other = (torch.tensor(list(_scores(each))) for each in (single, answer))
        assert_close(one, other, f"sequence {number} alone: the scores")
        if hasattr(case.head, "join"):
            _check_joined(case.head, single, float(len(states)), f"sequence {number}")


def _check_answer(case: _Case, answer: Answer, states: int) -> None:
    fault = answer_fault(answer, case.kind, Example({}, Place("sample")), {})
    assert not fault, f"the head returns {fault}"
    outside = [score for score in _scores(answer) if not 0 <= score <= 1 + 1e-6]
    assert not outside, f"a score is {outside[0]}, which is not in 0 to 1"
    if case.head.alignment == "per_state":
        assert len(answer.value) == states, "there is not one answer per state"
    if answer.score is not None and not isinstance(answer.score, Real):
        assert len(answer.score) == len(answer.value), "there is not one score for each part of the answer"


def _check_joined(head: Any, single: Answer, end: float, what: str) -> None:
    def same(joined: Answer) -> bool:
        return _same(_spaced(joined.value), _spaced(single.value))

    alone = head.join([single], [Piece(None, 0.0, end)])
    assert same(alone), f"joined, the one piece of {what} is another"
    blank = [Piece(None, 0.0, 1.0, last=False, blank=True), Piece(None, 1.0 + end, 2.0 + end, blank=True)]
    among = head.join([None, single, None], [blank[0], Piece(None, 1.0, 1.0 + end, last=False), blank[1]])
    assert same(among), f"joined with blank ones, the one piece of {what} is another"


def _carry_files(head: Any, again: Any) -> None:
    """Have one head read the files that the other keeps in a package, where it keeps any."""
    if hasattr(head, "save") and hasattr(head, "load"):
        with tempfile.TemporaryDirectory() as folder:
            head.save(Path(folder))
            again.load(Path(folder))


def _check_restored(case: _Case, again: Head) -> None:
    pairs = zip(case.answers(case.batch), _answers(again, case.contract, case.batch), strict=True)
    for one, other in pairs:
        assert case.same(one.value, other.value), (
            f"after a round trip of the state through JSON, the answer {one.value!r} is {other.value!r}"
        )


def _check_by_heart(case: _Case) -> None:
    """Learn samples from states that tell all parts apart, and look at the answers."""
    if case.head.alignment in ("free", "shifted") or not _is_made_of_strings(case.kind.samples):
        return
    batch, target = _states(_lengths(case.head, case.kind), WIDE), _target(case.head, case.kind.samples)
    module = case.head.module(WIDE).eval()
    contract = cast("HeadModule", module)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    before = float(contract.loss(batch, target).detach())
    wrong = []
    for step in range(STEPS):
        optimizer.zero_grad()
        contract.loss(batch, target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % LOOKS == 0:
            answers = _answers(case.head, contract, batch)
            pairs = zip(case.kind.samples, answers, strict=True)
            wrong = [
                (value, each.value)
                for value, each in pairs
                if not _same(_ordered(value), _ordered(each.value))
            ]
            if not wrong:
                return
    learned = float(contract.loss(batch, target).detach()) < LEARNED * before
    assert not learned, f"having learned {wrong[0][0]!r} by heart, it answers {wrong[0][1]!r}"


def _spaced(value: Any) -> Any:
    """Return a text with one space between its words: where it is cut, none of others can be told."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _is_made_of_strings(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, Iterable) and all(_is_made_of_strings(each) for each in value)
    )


def _ordered(value: Any) -> Any:
    """Return a set as the list that any order of it stands for."""
    return sorted(value) if isinstance(value, set | frozenset) else value


def _same(one: Any, other: Any) -> bool:
    """Compare values, numbers within the rounding of fp32."""
    if isinstance(one, str) or one is None:
        return bool(one == other)
    if isinstance(one, Real):
        return abs(float(one) - float(other)) <= 1e-5 * (1 + abs(float(one)))
    if isinstance(one, set | frozenset):
        return bool(one == other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))


def _check_without_loss(case: _Case) -> None:
    for what, values in {
        "value never seen in training": case.kind.unseen,
        "missing value": case.kind.lacking,
    }.items():
        if not values:
            continue
        target = _target(case.head, values)
        nothing = not target.data.is_floating_point() and bool((target.data == -1).all())
        if what == "missing value" or nothing:
            loss = float(case.contract.loss(case.batch, target).detach())
            assert loss == 0, f"a {what} has a loss: {loss}"
            count = float(case.contract.count(target, case.batch.lengths))
            assert count == 0, f"a {what} is counted: {count}"


def _check_states_needed(case: _Case) -> None:
    needed = case.head.states_needed(case.kind.samples)  # type: ignore[attr-defined]
    for value, length in zip(case.kind.samples, needed, strict=True):
        target = _target(case.head, [value])
        loss = float(case.contract.loss(_states([length]), target).detach())
        assert 0 < loss < torch.inf, f"with the {length} states that {value!r} needs, the loss is {loss}"
        loss = float(case.contract.loss(_states([length - 1]), target).detach())
        assert loss == 0, (
            f"with fewer than the {length} states that {value!r} needs, the loss is {loss}, not 0"
        )
        count = float(case.contract.count(target, torch.tensor([length - 1])))
        assert count == 0, f"with fewer than the {length} states that {value!r} needs, it is counted"
