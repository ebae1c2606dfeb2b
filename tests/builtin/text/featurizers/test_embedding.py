from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from seqlab.api import FeaturizerContext, Sequences
from seqlab.builtin.core.vocabulary import UNKNOWN
from seqlab.builtin.text.featurizers.components import EmbeddingConfig
from seqlab.builtin.text.featurizers.embedding import WordEmbedding
from seqlab.builtin.text.featurizers.words import WordFeaturizer
from seqlab.builtin.text.plugin import seqlab_register_featurizers
from seqlab.engine.seeding import seeded


def embedding(**config: Any) -> WordEmbedding:
    with seeded(1):
        return WordEmbedding(50, 4, **({"zero_unknown": True} | config))


def words(*ids: int) -> Sequences:
    return Sequences.from_flat(torch.tensor(ids), [len(ids)])


def test_rows_are_those_of_the_table() -> None:
    module = embedding()
    assert torch.equal(module(words(3, 7, 3)).data, module.table.weight[[3, 7, 3]])


def test_the_zero_vector_of_unknown_words_is_never_trained() -> None:
    module = embedding()
    module(words(UNKNOWN, 3)).data.sum().backward()
    assert module.table.weight.grad is not None
    assert not module.table.weight[UNKNOWN].any()
    assert not module.table.weight.grad[UNKNOWN].any()
    assert module.table.weight.grad[3].any()


def test_word_dropout_trains_the_unknown_vector() -> None:
    module = embedding(zero_unknown=False, word_dropout=0.25)
    ids = torch.arange(1, 50).repeat(100)
    with seeded(1):
        rows = module(Sequences.from_flat(ids, [len(ids)]))
    unknown = (rows.to_flat() == module.table.weight[UNKNOWN]).all(-1)
    assert float(unknown.float().mean()) == pytest.approx(0.25, abs=0.03)
    kept = ids[~unknown]
    assert torch.equal(rows.to_flat()[~unknown], module.table.weight[kept])
    rows.data.sum().backward()
    assert module.table.weight.grad is not None
    assert module.table.weight.grad[UNKNOWN].any()


def test_nothing_is_dropped_in_evaluation() -> None:
    module = embedding(zero_unknown=False, word_dropout=0.9, dropout=0.9).eval()
    assert torch.equal(module(words(3, 7)).data, module.table.weight[[3, 7]])


def test_an_unknown_vector_that_nothing_would_train_is_refused() -> None:
    message = "vector of unknown words would never be trained.*; set min_count above 1"
    with pytest.raises(ValidationError, match=message):
        EmbeddingConfig(unknown="learned")
    for fine in ({"min_count": 2}, {"word_dropout": 0.1}):
        assert EmbeddingConfig.model_validate(fine | {"unknown": "learned"}).shows_unknown


@pytest.mark.parametrize(("settings", "learned"), [({}, False), ({"min_count": 2}, True)])
def test_unknown_words_have_zeros_where_nothing_would_train_their_vector(
    settings: dict[str, Any], *, learned: bool
) -> None:
    (component,) = (each for each in seqlab_register_featurizers() if each.name == "embedding")
    featurizer = component.build(EmbeddingConfig(**settings), FeaturizerContext({"tokens": "tokens"}))
    featurizer.fit([["a", "b", "a"]])
    assert bool(featurizer.module().table.weight[UNKNOWN].any()) == learned


def test_words_are_read_in_lower_case_where_asked() -> None:
    featurizer = WordFeaturizer("tokens", lambda size: WordEmbedding(size, 4), min_count=2, lowercase=True)
    featurizer.fit([["The", "the", "Dog"], ["dog", "Bird"]])
    assert featurizer.state() == {"words": ["dog", "the"]}
    assert featurizer.encode([["THE", "Dog"], [], ["bird"]]).values.tolist() == [2, 1, UNKNOWN]
    table = featurizer.module().get_submodule("table")
    assert isinstance(table, torch.nn.Embedding)
    assert table.num_embeddings == 3
