"""The head of the next token: targets, probabilities, tied weights and penalties."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from seqlab.api import HeadContext, SeqlabError, Sequences, States
from seqlab.builtin.core.fields import Tokens
from seqlab.builtin.text.featurizers.embedding import WordEmbedding
from seqlab.builtin.text.heads.components import LanguageModelConfig
from seqlab.builtin.text.heads.language_model import LanguageModel, LanguageModelHead
from seqlab.builtin.text.plugin import seqlab_register_heads
from seqlab.engine import SequenceModel
from seqlab.engine.seeding import seeded

TEXTS = [list("hello"), list("hell"), [], ["h"]]
SIZE = 5


def component() -> Any:
    (found,) = (each for each in seqlab_register_heads() if each.name == "language_model")
    return found


def head(texts: list[list[str]] = TEXTS, **config: Any) -> LanguageModelHead:
    made = component().build(
        LanguageModelConfig(**config), HeadContext({"tokens": "tokens"}, {"tokens": Tokens()})
    )
    assert isinstance(made, LanguageModelHead)
    made.fit(texts)
    return made


def batch(made: LanguageModelHead) -> tuple[LanguageModel, States, Sequences]:
    with seeded(1):
        module = made.module(SIZE)
        target = made.encode(TEXTS).gather(torch.arange(len(TEXTS)))
        assert isinstance(target, Sequences)
        rows = target.with_data(torch.randn(target.layout.total, SIZE))
    assert isinstance(module, LanguageModel)
    return module.eval(), States(rows, lambda: rows.final), target


def test_the_target_is_the_next_token() -> None:
    made = head()
    number = made.vocabulary.number
    assert made.encode([list("hel")]).values.tolist() == [number("e"), number("l"), -2]
    assert head(end=True).encode([["h"], []]).values.tolist() == [len(made.vocabulary)]
    assert made.encode([["h", "x", "e"]]).values.tolist() == [0, number("e"), -2]


def test_rare_tokens_are_one_that_is_learned() -> None:
    made = head(min_count=2)
    assert made.vocabulary.symbols == ["l", "h", "e"]
    assert made.encode([list("ho")]).values.tolist() == [0, -2]


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(SeqlabError, match="1 different tokens in 'tokens': nothing to learn"):
        head([["a", "a"]])


@torch.no_grad()
@pytest.mark.parametrize("end", [False, True])
def test_answers_say_how_probable_the_tokens_were(*, end: bool) -> None:
    made = head(end=end)
    module, states, target = batch(made)
    answers = made.answers(module.answer_given(states, target))
    log = module.scores(states.data).log_softmax(dim=-1)
    for number, (text, answer) in enumerate(zip(TEXTS, answers, strict=True)):
        rows = states.layout.items == number
        wanted = target.data[rows]
        known = wanted >= 0
        expected = log[rows][known].gather(1, wanted[known, None]).sum()
        assert answer.details["predicted_tokens"] == max(len(text) - (not end), 0)
        assert answer.details["log_probability"] == pytest.approx(float(expected), abs=1e-4)
        assert answer.score == pytest.approx(float(module.scores(states.final)[number].softmax(0).max()))


@torch.no_grad()
def test_alternatives_are_the_next_ones_by_probability() -> None:
    made = head(alternatives=2, end=True)
    module, states, _ = batch(made)
    for answer, row in zip(made.answers(module.answer(states)), module.scores(states.final), strict=True):
        best = row.softmax(0).topk(3)
        assert [answer.score, *(each.score for each in answer.alternatives)] == pytest.approx(
            best.values.tolist()
        )
        tokens = [answer.value, *(each.value for each in answer.alternatives)]
        named = [made.token(number) for number in best.indices.tolist()]
        assert tokens == [() if name is None else (name,) for name in named]
        assert not answer.details


def test_loss_is_the_cross_entropy_of_known_tokens() -> None:
    made = head()
    module, states, target = batch(made)
    expected = functional.cross_entropy(
        module.scores(states.data), target.data, ignore_index=-2, reduction="sum"
    )
    assert torch.equal(module.loss(states, target), expected)
    with torch.no_grad():
        torch.testing.assert_close(module.loss(states, target), expected)
    assert int(module.count(target, target.lengths)) == 7


def test_penalties_are_of_states_and_of_their_change_in_training_only() -> None:
    made = head(activation_l2=2.0, temporal_l2=3.0)
    module, states, target = batch(made)
    plain = module.loss(states, target)
    each = states.to_list()
    changes = torch.cat([rows[1:] - rows[:-1] for rows in each])
    penalty = 2.0 * states.data.square().sum() / SIZE + 3.0 * changes.square().sum() / SIZE
    whole = module.train().loss(states, target)
    torch.testing.assert_close(whole, plain + penalty)
    parts = zip(each, target.to_list(), strict=True)
    alone = [module.loss(Sequences.from_list([rows]), Sequences.from_list([ids])) for rows, ids in parts]
    torch.testing.assert_close(torch.stack(alone).sum(), whole)


# --- tied weights ------------------------------------------------------------------------------------------


class Pass(nn.Module):
    output_size, carries_state = SIZE, True

    def forward(self, inputs: Sequences, state: Any = None) -> tuple[Sequences, None]:
        return inputs, None


def tied(end: bool = True, size: int = SIZE) -> tuple[SequenceModel, WordEmbedding]:
    made = head(tied=True, end=end)
    embedding = WordEmbedding(len(made.vocabulary), size)
    return SequenceModel([embedding], Pass(), {"tokens": made.module(SIZE)}), embedding


@pytest.mark.parametrize("end", [False, True])
def test_tied_weights_are_those_of_the_embedding(*, end: bool) -> None:
    model, embedding = tied(end)
    module: Any = model.heads[0]
    states = torch.randn(3, SIZE)
    known = len(embedding.table.weight)
    torch.testing.assert_close(module.scores(states)[:, :known], states @ embedding.table.weight.T)
    assert module.scores(states).shape[1] == known + end
    assert not [name for name, _ in model.named_parameters() if "heads" in name and "table" in name]


def test_a_copy_is_tied_to_its_own_embedding() -> None:
    model, _ = tied()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.featurizers[0].table.weight.zero_()  # type: ignore[operator,union-attr]
    states = torch.randn(3, SIZE)
    ours, theirs = (each.heads[0].scores(states) for each in (model, twin))  # type: ignore[operator]
    assert not torch.equal(ours, theirs)
    assert not theirs[:, :4].any()


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SeqlabError, match=r"one embedding of 5 tokens .* the states, 5; .*: 5 x 7"):
        tied(size=7)


def test_the_end_is_told_apart_from_tokens() -> None:
    made = head(end=True)
    assert [made.token(number) for number in range(made.classes)] == ["<unk>", "l", "h", "e", "o", None]
    assert made.ends(5)
    assert not head().ends(5)


def test_the_vector_of_an_unknown_token_that_is_zeros_stays_so() -> None:
    made = head(tied=True)
    embedding = WordEmbedding(len(made.vocabulary), SIZE, zero_unknown=True)
    model = SequenceModel([embedding], Pass(), {"tokens": made.module(SIZE)})
    module: Any = model.heads[0]
    module.scores(torch.randn(3, SIZE)).sum().backward()
    grad = embedding.table.weight.grad
    assert grad is not None
    assert not grad[0].any()
    assert grad[1:].all()
