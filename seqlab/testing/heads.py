"""The contract of heads that label tokens and of heads that answer with a text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

from seqlab.api import Component, FieldKind, Head, HeadContext, Sequences
from seqlab.engine import HeadModule
from seqlab.engine.seeding import seeded
from seqlab.testing.modules import assert_close, check_gradients, check_weights_round_trip, gathered, varied

__all__ = ["check_head"]

INPUT_SIZE = 6
FIELDS: Mapping[str, FieldKind] = {"labels": "token_labels", "text": "text"}


@dataclass(frozen=True)
class Targets:
    """Values of a target field, as many that training never saw, and how messages call a part of them."""

    values: Sequence[Any]
    strange: Sequence[Any]
    part: str
    lacking: Sequence[Any] = ()
    """Values in which parts are missing, as long as the others."""


LABELS = (("DET", "NOUN", "VERB"), ("NOUN",), ("VERB", "DET", "ADJ", "NOUN", "PUNCT"))
TEXTS = ("one two", "two", "three one one")
TARGETS: Mapping[str, Targets] = {
    "labels": Targets(
        LABELS,
        [["never seen"] * len(labels) for labels in LABELS],
        "label",
        [[None] * len(labels) for labels in LABELS],
    ),
    "text": Targets(TEXTS, ["☃ ☃"] * len(TEXTS), "unit"),
}
SPARE = 2
"""States that a text has beyond the least number that it needs."""


@seeded(0)
def check_head(component: Component[Any], **config: Any) -> None:
    """Build a head for token labels or for a text, and check its contract.

    The reader that it is told of has one field of either kind; of which kind its target is, decides.

    - Labels or texts survive encoding and decoding, and a round trip of what was learned through JSON.
    - Loss and count of a batch are the sums of those of its sequences, and the loss is finite.
    - Predictions have probabilities in 0 to 1, and the lengths of the states where labels are predicted.
    - The answer to a sequence does not depend on its batch.
    - A label or unit that training never saw is accepted as a target and costs nothing; nor does a missing
      label, None, from which nothing is learned.
    - A finite gradient reaches every parameter, and the weights survive a round trip.
    - Where its module has `predict_aligned`, that answers as `predict`, and reads ids from states in order.
    - Where it has `shortest`, a target has a loss with so many states, and none with one state fewer.
    """
    head = _build(component, config)
    targets = TARGETS[head.target]
    head.fit([*targets.values, *targets.lacking])
    again = _build(component, config)
    again.restore(json.loads(json.dumps(head.state())))
    _check_values(head, again, targets)
    module = varied(head.module(INPUT_SIZE))
    batch = _states([length + SPARE * hasattr(head, "shortest") for length in _shortest(head, targets)])
    target = _target(head, targets.values)
    contract = cast("HeadModule", module)
    _check_sums(head, contract, batch, targets)
    _check_answers(head, contract, batch)
    _check_aligned(contract, batch)
    _check_unseen(head, contract, batch, targets)
    if hasattr(head, "shortest"):
        _check_shortest(head, contract, targets)
    check_gradients(module, lambda: contract.loss(batch, target))
    fresh = again.module(INPUT_SIZE)
    check_weights_round_trip(module, fresh, lambda other: cast("HeadModule", other).predict(batch)[1].data)


def _build(component: Component[Any], config: dict[str, Any]) -> Head:
    head: Head = component.build(component.config(**config), HeadContext(FIELDS))
    return head


def _shortest(head: Head, targets: Targets) -> Sequence[int]:
    """Return the least number of states of each target: one per label, or what the head says."""
    shortest: Sequence[int] = (
        head.shortest(targets.values) if hasattr(head, "shortest") else list(map(len, targets.values))
    )
    return shortest


def _states(lengths: Sequence[int]) -> Sequences:
    generator = torch.Generator().manual_seed(2)
    return Sequences.from_list([torch.randn(length, INPUT_SIZE, generator=generator) for length in lengths])


def _target(head: Head, values: Sequence[Any]) -> Sequences:
    target = gathered(head.encode(values), list(range(len(values))))
    assert isinstance(target, Sequences), "targets are plain sequences"
    return target


def _check_values(head: Head, again: Head, targets: Targets) -> None:
    for value in targets.values:
        found = head.decode(_target(again, [value]).data.tolist())
        same = found == value if isinstance(value, str) else tuple(found) == value
        assert same, f"{targets.part}s {value} come back as {found}"


def _check_sums(head: Head, module: HeadModule, batch: Sequences, targets: Targets) -> None:
    target = _target(head, targets.values)
    loss, count = module.loss(batch, target), module.count(target)
    assert loss.shape == (), f"the loss has shape {tuple(loss.shape)}, not ()"
    assert torch.isfinite(loss), f"the loss is {float(loss.detach())}"
    singles = [
        (Sequences.from_list([each]), _target(head, [value]))
        for each, value in zip(batch.to_list(), targets.values, strict=True)
    ]
    assert_close(
        sum((module.loss(*single) for single in singles), torch.zeros(())), loss, "summed alone, the loss"
    )
    counts = sum((module.count(single[1]) for single in singles), torch.zeros(()))
    assert_close(counts.float(), count.float(), "summed alone, the count")


def _check_answers(head: Head, module: HeadModule, batch: Sequences) -> None:
    ids, probabilities = module.predict(batch)
    if FIELDS[head.target] == "token_labels":
        assert ids.lengths.tolist() == batch.lengths.tolist(), "there is not one answer per state"
    assert ids.lengths.tolist() == probabilities.lengths.tolist(), "there is not one probability per answer"
    assert ((probabilities.data >= 0) & (probabilities.data <= 1 + 1e-6)).all(), (
        "a probability is not in 0 to 1"
    )
    for number, states in enumerate(batch.to_list()):
        alone = module.predict(Sequences.from_list([states]))
        assert alone[0].data.tolist() == ids.to_list()[number].tolist(), (
            f"sequence {number} alone is answered otherwise"
        )
        assert_close(
            alone[1].data, probabilities.to_list()[number], f"sequence {number} alone: the probabilities"
        )


def _check_aligned(module: HeadModule, batch: Sequences) -> None:
    aligned = getattr(module, "predict_aligned", None)
    if aligned is None:
        return
    answers, expected = aligned(batch), module.predict(batch)
    for found, wanted in zip(answers, expected, strict=False):
        same = torch.equal(found.lengths, wanted.lengths) and torch.equal(found.data, wanted.data)
        assert same, "predict_aligned answers otherwise than predict"
    read = [states.tolist() for states in answers[2].to_list()]
    for number, (states, length) in enumerate(zip(read, batch.lengths.tolist(), strict=True)):
        inside = [state for state in states if 0 <= state <= length - 1]
        assert states == sorted(inside), (
            f"sequence {number}: ids are read from states {states} of {length}, not in order or not its own"
        )


def _check_unseen(head: Head, module: HeadModule, batch: Sequences, targets: Targets) -> None:
    whats = {f"{targets.part} never seen in training": targets.strange, "missing label": targets.lacking}
    for what, values in whats.items():
        if values:
            target = _target(head, values)
            assert float(module.loss(batch, target).detach()) == 0, f"a {what} has a loss"
            assert float(module.count(target)) == 0, f"a {what} is counted"


def _check_shortest(head: Head, module: HeadModule, targets: Targets) -> None:
    lengths = _shortest(head, targets)
    for value, length in zip(targets.values, lengths, strict=True):
        target = _target(head, [value])
        loss = float(module.loss(_states([length]), target).detach())
        assert 0 < loss < torch.inf, f"with the {length} states that {value!r} needs, the loss is {loss}"
        loss = float(module.loss(_states([length - 1]), target).detach())
        assert loss == 0, (
            f"with fewer than the {length} states that {value!r} needs, the loss is {loss}, not 0"
        )
