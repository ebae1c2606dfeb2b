from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.api import FieldKind, HeadContext, SeqlabError, Sequences
from seqlab.builtin.text.heads.components import TaggingConfig
from seqlab.builtin.text.heads.tagging import Tagger, TaggingHead
from seqlab.builtin.text.plugin import seqlab_register_heads
from seqlab.engine.seeding import seeded

LABELS = [["B", "A", "B"], ["C", "B"], [], ["B"]]
INPUT_SIZE = 5


FIELDS: dict[str, FieldKind] = {"tokens": "tokens", "upos": "labels"}


def blank(fields: Mapping[str, FieldKind] = FIELDS, **config: Any) -> TaggingHead:
    (component,) = (each for each in seqlab_register_heads() if each.name == "tagging")
    made = component.build(TaggingConfig(**config), HeadContext(fields))
    assert isinstance(made, TaggingHead)
    return made


def head(**config: Any) -> TaggingHead:
    made = blank(**config)
    made.fit(LABELS)
    return made


def batch(made: TaggingHead, labels: list[list[str]] = LABELS) -> tuple[Tagger, Sequences, Sequences]:
    with seeded(1):
        module = made.module(INPUT_SIZE)
    assert isinstance(module, Tagger)
    target = made.encode(labels).gather(torch.arange(len(labels)))
    assert isinstance(target, Sequences)
    states = torch.randn(target.layout.total, INPUT_SIZE, generator=torch.Generator().manual_seed(2))
    return module, target.with_data(states), target


def test_labels_are_sorted_and_come_back() -> None:
    made = head()
    assert made.labels == ["A", "B", "C"]
    column = made.encode([["C", "A"], ["new"]])
    assert column.values.tolist() == [2, 0, -1]
    ids = Sequences.from_list([torch.tensor([2, 0]), torch.tensor([1])])
    answers = made.answers((ids, ids.with_data(torch.ones(3))))
    assert [answer.value for answer in answers] == [("C", "A"), ("B",)]
    assert [answer.score for answer in answers] == [(1.0, 1.0), (1.0,)]
    again = blank()
    again.restore(made.state())
    assert again.encode(LABELS).values.tolist() == made.encode(LABELS).values.tolist()
    assert again.module(INPUT_SIZE).get_submodule("project").get_parameter("bias").shape == (3,)


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        ({}, [1, 1, 1]),
        ({"class_weights": "balanced"}, [2, 0.5, 2]),
        ({"class_weights": {"B": 3.0}}, [1, 3, 1]),
    ],
)
def test_loss_and_count_are_weighted_by_class(config: dict[str, Any], weights: list[float]) -> None:
    module, states, target = batch(head(**config))
    used = torch.tensor(weights)[target.data]
    assert float(module.count(target, target.lengths)) == pytest.approx(float(used.sum()))
    logs = module.project(states.data).log_softmax(-1)
    chosen = logs[torch.arange(len(logs)), target.data]
    assert torch.allclose(module.loss(states, target), -(used * chosen).sum())


def test_the_count_is_made_without_a_look_at_the_targets() -> None:
    """The meta device has shapes only: what would make a GPU wait for its values fails there."""
    module, _, target = batch(head())
    assert module.to("meta").count(target.with_data(target.data.to("meta")), target.lengths).shape == ()


def test_the_loss_weight_scales_the_loss_and_not_the_count() -> None:
    module, states, target = batch(head())
    scaled, _, _ = batch(head(loss_weight=0.25))
    assert torch.allclose(scaled.loss(states, target), module.loss(states, target) * 0.25)
    assert torch.equal(scaled.count(target, target.lengths), module.count(target, target.lengths))


def test_label_smoothing_spreads_its_share_over_all_labels() -> None:
    module, states, target = batch(head(label_smoothing=0.3))
    logs = module.project(states.data).log_softmax(-1)
    chosen = logs[torch.arange(len(logs)), target.data]
    expected = -(0.7 * chosen + 0.3 * logs.mean(-1)).sum()
    assert torch.allclose(module.loss(states, target), expected)


def test_labels_never_seen_cost_nothing_beside_others() -> None:
    made = head(class_weights="balanced", label_smoothing=0.1)
    module, states, _ = batch(made, [["A", "B"]])
    known, _, mixed = batch(made, [["A", "new"]])
    only_first = states.with_data(states.data)
    alone = made.encode([["A"]]).gather(torch.tensor([0]))
    assert isinstance(alone, Sequences)
    first = Sequences.from_list([only_first.to_list()[0][:1]])
    assert torch.allclose(known.loss(states, mixed), module.loss(first, alone))
    assert torch.equal(known.count(mixed, mixed.lengths), module.count(alone, alone.lengths))


def test_the_likeliest_label_comes_with_its_probability() -> None:
    module, states, _ = batch(head())
    ids, probabilities = module.answer(states)
    expected = module.project(states.data).softmax(-1).max(-1)
    assert torch.equal(ids.data, expected.indices)
    assert torch.allclose(probabilities.data, expected.values)
    assert ids.lengths.tolist() == probabilities.lengths.tolist() == [3, 2, 0, 1]


def test_a_loss_in_bf16_is_summed_in_fp32() -> None:
    module, states, target = batch(head())
    exact = float(module.loss(states, target).detach())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = module.loss(states, target)
        probability = module.answer(states)[1].data
    assert loss.dtype == probability.dtype == torch.float32
    assert math.isclose(float(loss.detach()), exact, rel_tol=0.02)


def test_states_of_other_lengths_are_refused() -> None:
    module, states, target = batch(head())
    other = Sequences.from_flat(states.data, [2, 3, 0, 1])
    message = "^a tagging head needs one state per label: the encoder has changed the lengths$"
    with pytest.raises(ValueError, match=message):
        module.loss(other, target)


def test_class_weights_are_no_part_of_the_saved_weights() -> None:
    module, _, _ = batch(head(class_weights="balanced"))
    assert set(module.state_dict()) == {"project.weight", "project.bias"}
    assert isinstance(module, nn.Module)
    assert isinstance(module.class_weights, Tensor)


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (
            {},
            {"a": "labels", "b": "labels"},
            "head tagging learns labels, of which the reader delivers 2 fields: name the one that is meant;"
            " one of: a, b",
        ),
        (
            {"target": "upso"},
            {"upos": "labels"},
            "head tagging learns field 'upso', which the reader does not deliver; did you mean 'upos'?;"
            " one of: upos",
        ),
        (
            {"target": "tokens"},
            {"tokens": "tokens", "upos": "labels"},
            "head tagging learns labels, but field 'tokens' holds tokens; one of: upos",
        ),
    ],
)
def test_a_target_that_is_none_is_refused(config: dict[str, Any], fields: Any, message: str) -> None:
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        blank(fields, **config)


def test_a_class_weight_for_a_label_that_is_none_is_refused() -> None:
    message = (
        "head tagging: class_weights names label 'NOUM', which the training split does not hold;"
        " did you mean 'NOUN'?; one of: NOUN, VERB"
    )
    made = blank(class_weights={"NOUM": 2.0})
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        made.fit([["NOUN", "VERB"]])


def test_missing_labels_teach_nothing_and_cost_nothing() -> None:
    head = TaggingHead("upos", class_weights="balanced")
    head.fit([["A", None, "B"], [None]])
    assert head.labels == ["A", "B"]
    assert head.encode([["B", None, "new"]]).values.tolist() == [1, -1, -1]
    with pytest.raises(SeqlabError) as caught:
        head.fit([[None], [None, None]])
    assert str(caught.value) == (
        "head tagging: no token of the training split has a label 'upos': nothing to learn; is the field the"
        " right one?"
    )
