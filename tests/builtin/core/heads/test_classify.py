from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seqlab.api import Answer, HeadContext, SeqlabError, Sequences
from seqlab.builtin.core.heads.classify import Classifier, ClassifyHead
from seqlab.builtin.core.plugin import seqlab_register_heads
from seqlab.engine.seeding import seeded

SIZE = 5
LABELS = ["b", "a", None, "b", "c", "b"]
SETS = [("x", "y"), (), None, ("y",), ("z", "y"), ()]


def head(kind: str = "label", values: list[Any] | None = None, **config: Any) -> ClassifyHead:
    (component,) = seqlab_register_heads()
    fields = {"tokens": "tokens", "target": kind}
    made: ClassifyHead = component.build(component.config(**config), HeadContext(fields))
    made.fit((LABELS if kind == "label" else SETS) if values is None else values)
    return made


def module(made: ClassifyHead) -> Classifier:
    with seeded(1):
        built = made.module(SIZE)
    assert isinstance(built, Classifier)
    return built.eval()


def target(made: ClassifyHead, values: list[Any]) -> Sequences:
    found = made.encode(values).gather(torch.arange(len(values)))
    assert isinstance(found, Sequences)
    return found


def states(*lengths: int) -> Sequences:
    generator = torch.Generator().manual_seed(2)
    return Sequences.from_list([torch.randn(length, SIZE, generator=generator) for length in lengths])


def scores(built: Classifier, rows: Sequences) -> Tensor:
    return built.project(rows.final)


# --- one label -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "weights"),
    [({}, [1, 1, 1]), ({"class_weights": {"b": 3.0}}, [1, 3, 1]), ({"loss_weight": 0.5}, [1, 1, 1])],
)
def test_the_loss_of_labels_is_weighted_cross_entropy(config: dict[str, Any], weights: list[float]) -> None:
    made = head(**config)
    built, rows = module(made), states(2, 4, 1, 1, 3, 2)
    wanted = target(made, LABELS)
    known = [place for place, label in enumerate(LABELS) if label]
    ids = torch.tensor([made.labels.index(label) for label in LABELS if label])
    expected = functional.cross_entropy(
        scores(built, rows)[known], ids, weight=torch.tensor(weights).float(), reduction="sum"
    )
    factor = config.get("loss_weight", 1.0)
    assert torch.allclose(built.loss(rows, wanted), factor * expected)
    assert float(built.count(wanted, rows.lengths)) == sum(weights[number] for number in ids.tolist())


def test_answers_tell_the_next_likely_labels_best_first() -> None:
    made = head(n_best=2)
    (answer,) = made.answers(module(made).answer(states(3)))
    assert isinstance(answer.score, float)
    assert [each.value for each in answer.alternatives] != [answer.value]
    assert len(answer.alternatives) == 1
    assert answer.score >= answer.alternatives[0].score
    all_of_them = head(n_best=5)
    (answer,) = all_of_them.answers(module(all_of_them).answer(states(3)))
    told = [answer.score, *(each.score for each in answer.alternatives)]
    assert sum(told) == pytest.approx(1)
    assert told == sorted(told, reverse=True)


def test_attention_says_how_much_each_step_counts() -> None:
    made = head(pooling="attention")
    answers = made.answers(module(made).answer(states(3, 0, 1)))
    weights = [each.details["attention"] for each in answers]
    assert [len(each) for each in weights] == [3, 0, 1]
    assert sum(weights[0]) == pytest.approx(1)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("kind", ["label", "label_set"])
def test_an_empty_sequence_has_an_answer_and_a_loss(pooling: str, kind: str) -> None:
    made = head(kind, pooling=pooling)
    built, rows = module(made), states(0, 2)
    answers = made.answers(built.answer(rows))
    assert all(isinstance(each, Answer) for each in answers)
    values = ["a", "b"] if kind == "label" else [("x",), ()]
    loss = built.loss(rows, target(made, values))
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in built.parameters())


@pytest.mark.parametrize(("values", "message"), [([None, None], "has a label"), (["a", "a"], "is 'a'")])
def test_nothing_to_tell_apart_is_an_error(values: list[Any], message: str) -> None:
    with pytest.raises(SeqlabError, match=message):
        head(values=values)


def test_a_weight_for_an_unknown_label_is_an_error_with_the_right_spelling() -> None:
    with pytest.raises(SeqlabError, match="did you mean 'news'"):
        head(values=["news", "sport"], class_weights={"newss": 2.0})


# --- sets ------------------------------------------------------------------------------------------------


def test_the_loss_of_sets_is_that_of_each_label_by_itself() -> None:
    made = head("label_set")
    built, rows = module(made), states(2, 4, 1, 1, 3, 2)
    wanted = target(made, SETS)
    known = [place for place, each in enumerate(SETS) if each is not None]
    members = torch.tensor([[float(label in (SETS[place] or ())) for label in "xyz"] for place in known])
    expected = functional.binary_cross_entropy_with_logits(
        scores(built, rows)[known], members, reduction="sum"
    )
    assert torch.allclose(built.loss(rows, wanted), expected)
    assert float(built.count(wanted, rows.lengths)) == len(known)


def test_the_empty_set_is_learned_from_and_a_missing_one_is_not() -> None:
    made = head("label_set")
    built, rows = module(made), states(3)
    assert float(built.loss(rows, target(made, [()])).detach()) > 0
    assert float(built.loss(rows, target(made, [None])).detach()) == 0


def test_a_set_holds_the_labels_above_the_threshold() -> None:
    made = head("label_set", threshold=0.4)
    rows = states(2, 3, 1)
    built = module(made)
    probabilities = built.answer(rows).probabilities
    for answer, own in zip(made.answers(built.answer(rows)), probabilities.tolist(), strict=True):
        assert answer.value == tuple(label for label, p in zip(made.labels, own, strict=True) if p >= 0.4)
        assert answer.score == tuple(p for p in own if p >= 0.4)


def test_losses_are_made_without_a_look_at_the_targets() -> None:
    """The meta device has shapes only: what would make a GPU wait for its values fails there."""
    for kind, values in (("label", LABELS), ("label_set", SETS)):
        made = head(kind)
        built, wanted = module(made).to("meta"), target(made, values)
        assert built.count(wanted.with_data(wanted.data.to("meta")), wanted.lengths).shape == ()
