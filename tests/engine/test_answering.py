from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import answered, dataset, model

from seqlab.engine import Answers, Budget

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=9)


@settings(max_examples=15, deadline=None)
@given(LENGTHS, st.integers(1, 12), st.one_of(st.none(), st.integers(1, 3)))
def test_each_example_is_answered_as_if_it_were_alone(
    lengths: list[int], tokens: int, items: int | None
) -> None:
    subject, data = model().eval(), dataset(lengths)
    found = answered(subject, data, Budget(tokens, items))["tags"]
    assert [len(ids) for ids, _ in found.values] == lengths
    head = dict(subject.named_heads())["tags"]
    with torch.no_grad():
        for index in range(len(data)):
            alone = data.gather(torch.tensor([index]))
            ids, probabilities = head.answer(subject.encode(alone.features)[0])
            assert found.values[index][0] == ids.data.tolist()
            assert found.values[index][1] == pytest.approx(probabilities.data.tolist(), abs=1e-12)


def test_the_loss_is_the_mean_over_all_targets() -> None:
    subject, data = model(heads=("a", "b")).eval(), dataset(heads=("a", "b"))
    batch = data.gather(torch.arange(len(data)))
    sums, _ = subject.losses(batch)
    counts = subject.counts(batch)
    for name, found in answered(subject, data, Budget(10)).items():
        assert found.loss == pytest.approx(float(sums[name].detach() / counts[name]))


def test_data_without_targets_has_answers_and_no_loss() -> None:
    labelled = dataset()
    bare = type(labelled)(labelled.features)
    found, expected = (answered(model().eval(), each, Budget(20))["tags"] for each in (bare, labelled))
    assert found.values == expected.values
    assert found.loss is None
    assert Answers([]).loss is None


def test_no_examples_have_no_answers() -> None:
    assert answered(model().eval(), dataset([]), Budget(5))["tags"].values == []


def test_answering_keeps_no_graph() -> None:
    subject = model().eval()
    answered(subject, dataset(), Budget(20))
    assert all(parameter.grad is None for parameter in subject.parameters())
    assert torch.is_grad_enabled()


def test_answers_are_computed_in_the_precision_asked_for() -> None:
    subject, data = model(dtype=torch.float32).eval(), dataset([5, 0, 3, 7, 1, 4, 6, 2], dtype=torch.float32)
    seen = set()
    dict(subject.named_modules())["heads.0.project"].register_forward_hook(
        lambda _module, _inputs, output: seen.add(output.dtype)
    )
    full = answered(subject, data, Budget(6))["tags"]
    assert seen == {torch.float32}
    seen.clear()
    half = answered(subject, data, Budget(6), precision="bf16")["tags"]
    assert seen == {torch.bfloat16}
    assert half.values != full.values
    for (_, found), (_, expected) in zip(half.values, full.values, strict=True):
        assert found == pytest.approx(expected, abs=0.02)
