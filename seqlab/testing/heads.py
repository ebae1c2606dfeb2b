"""The contract of heads that label tokens."""

from __future__ import annotations

import json
from typing import Any, cast

import torch

from seqlab.api import Component, Head, HeadContext, Sequences
from seqlab.engine import HeadModule
from seqlab.engine.seeding import seeded
from seqlab.testing.modules import assert_close, check_gradients, check_weights_round_trip, gathered, varied

__all__ = ["check_head"]

INPUT_SIZE = 6
LABELS = (("DET", "NOUN", "VERB"), ("NOUN",), ("VERB", "DET", "ADJ", "NOUN", "PUNCT"))


@seeded(0)
def check_head(component: Component[Any], **config: Any) -> None:
    """Build a head for token labels and check its contract.

    - Labels survive encoding and decoding, and a round trip of what was learned through JSON.
    - Loss and count of a batch are the sums of those of its sequences, and the loss is finite.
    - Predictions have the lengths of the states and probabilities in 0 to 1.
    - The answer to a sequence does not depend on its batch.
    - A label that training never saw is accepted as a target and costs nothing.
    - A finite gradient reaches every parameter, and the weights survive a round trip.
    """
    head = _build(component, config)
    head.fit(LABELS)
    again = _build(component, config)
    again.restore(json.loads(json.dumps(head.state())))
    _check_labels(head, again)
    module = varied(head.module(INPUT_SIZE))
    generator = torch.Generator().manual_seed(2)
    states = [torch.randn(len(labels), INPUT_SIZE, generator=generator) for labels in LABELS]
    batch, target = Sequences.from_list(states), _target(head, list(range(len(LABELS))))
    contract = cast("HeadModule", module)
    _check_sums(head, contract, batch, target)
    _check_answers(contract, batch)
    _check_unseen(head, contract, batch)
    check_gradients(module, lambda: contract.loss(batch, target))
    fresh = again.module(INPUT_SIZE)
    check_weights_round_trip(module, fresh, lambda other: cast("HeadModule", other).predict(batch)[1].data)


def _build(component: Component[Any], config: dict[str, Any]) -> Head:
    head: Head = component.build(component.config(**config), HeadContext({"labels": "token_labels"}))
    return head


def _target(head: Head, indices: list[int]) -> Sequences:
    target = gathered(head.encode(LABELS), indices)
    assert isinstance(target, Sequences), "targets are plain sequences"
    return target


def _check_labels(head: Head, again: Head) -> None:
    for number, labels in enumerate(LABELS):
        ids = _target(again, [number]).data.tolist()
        assert tuple(head.decode(ids)) == labels, f"labels {labels} come back as {head.decode(ids)}"


def _check_sums(head: Head, module: HeadModule, batch: Sequences, target: Sequences) -> None:
    loss, count = module.loss(batch, target), module.count(target)
    assert loss.shape == (), f"the loss has shape {tuple(loss.shape)}, not ()"
    assert torch.isfinite(loss), f"the loss is {float(loss.detach())}"
    singles = [
        (Sequences.from_list([each]), _target(head, [number])) for number, each in enumerate(batch.to_list())
    ]
    assert_close(
        sum((module.loss(*single) for single in singles), torch.zeros(())), loss, "summed alone, the loss"
    )
    counts = sum((module.count(single[1]) for single in singles), torch.zeros(()))
    assert_close(counts.float(), count.float(), "summed alone, the count")


def _check_answers(module: HeadModule, batch: Sequences) -> None:
    ids, probabilities = module.predict(batch)
    assert ids.lengths.tolist() == batch.lengths.tolist(), "there is not one answer per state"
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


def _check_unseen(head: Head, module: HeadModule, batch: Sequences) -> None:
    strange = [["never seen"] * len(labels) for labels in LABELS]
    target = head.encode(strange).gather(torch.arange(len(LABELS)))
    assert isinstance(target, Sequences), "targets are plain sequences"
    assert float(module.loss(batch, target).detach()) == 0, "a label never seen in training has a loss"
    assert float(module.count(target)) == 0, "a label never seen in training is counted"
