from __future__ import annotations

import copy
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.api import FeaturizerContext, Indexed, Sequences, State
from seqlab.builtin.text.featurizers.char_lstm import CharLSTM, CharLSTMFeaturizer
from seqlab.builtin.text.featurizers.components import CharLSTMConfig
from seqlab.builtin.text.plugin import seqlab_register_featurizers
from seqlab.engine.optim import make_optimizer
from seqlab.engine.seeding import seeded
from seqlab.settings import SGD, Adam, AdamW, OptimizerSettings

PATIENCE = 60
"""Seconds after which a thread that never comes is given up."""

WORDS = ["the", "dog", "dogs", "god", "", "a", "Äpfel", "barks", "☃", "unknown!"]
SENTENCES = [WORDS[:4], [], WORDS[2:7], ["the"], WORDS[5:], ["dog", "dog", "a"]]


def made(**config: Any) -> tuple[CharLSTMFeaturizer, CharLSTM]:
    small = CharLSTMConfig(**({"embedding_dim": 3, "hidden_size": 4} | config))
    (component,) = (each for each in seqlab_register_featurizers() if each.name == "char_lstm")
    featurizer = component.build(small, FeaturizerContext({"tokens": "tokens"}))
    featurizer.fit(SENTENCES[:3])
    with seeded(1):
        module = featurizer.module()
    assert isinstance(module, CharLSTM)
    return featurizer, module.eval()


def batch(featurizer: CharLSTMFeaturizer, sentences: list[list[str]]) -> Indexed:
    gathered = featurizer.encode(sentences).gather(torch.arange(len(sentences)))
    assert isinstance(gathered, Indexed)
    return gathered


def exact(module: CharLSTM, words: Indexed) -> Tensor:
    """The features without the cache, which is not used where a gradient may be wanted."""
    with torch.enable_grad():
        features: Tensor = module(words).to_flat().detach()
    return features


def predicted(module: CharLSTM, words: Indexed) -> Tensor:
    with torch.inference_mode():
        features: Tensor = module(words).to_flat()
    return features.clone()


@pytest.mark.parametrize("cache_words", [0, 1, 3, 8, 1000])
def test_predictions_are_the_same_with_and_without_the_cache(cache_words: int) -> None:
    featurizer, module = made(cache_words=cache_words)
    for number in random.Random(1).choices(range(len(SENTENCES)), k=25):
        words = batch(featurizer, [SENTENCES[number], SENTENCES[number - 1]])
        assert torch.allclose(predicted(module, words), exact(module, words), atol=1e-6)


def test_a_vector_is_that_of_the_word_alone() -> None:
    featurizer, module = made()
    whole = batch(featurizer, SENTENCES)
    features = exact(module, whole)
    alone = torch.cat([exact(module, batch(featurizer, [[word]])) for each in SENTENCES for word in each])
    assert torch.allclose(features, alone, atol=1e-6)
    assert features.shape == (sum(map(len, SENTENCES)), module.output_size)


def test_held_vectors_are_not_computed_again_and_never_too_many() -> None:
    featurizer, module = made(cache_words=5)
    encoded: list[int] = []
    final_state = module.stack.final_state

    def counting(inputs: Sequences) -> State:
        encoded.append(len(inputs))
        return final_state(inputs)

    module.stack.final_state = counting  # type: ignore[method-assign]
    for sentences in (
        [["the", "dog"]],
        [["dog", "the"]],
        [["dog", "god"]],
        [["a", "dogs", "barks"]],
        [["the"]],
    ):
        predicted(module, batch(featurizer, sentences))
    # Full after three words, the three new ones have no room: the cache begins anew with them.
    assert encoded == [2, 1, 3, 1]
    assert module.cache._vectors.shape == (5, module.output_size)
    encoded.clear()
    predicted(module, batch(featurizer, [WORDS]))
    assert encoded == [len(set(WORDS))], "a batch larger than the cache goes by"


@pytest.mark.parametrize("settings", [Adam(lr=0.1), AdamW(lr=0.1), SGD(lr=0.5)])
def test_after_further_training_the_cache_is_not_stale(settings: OptimizerSettings) -> None:
    featurizer, module = made(char_dropout=0.0)
    words = batch(featurizer, SENTENCES)
    optimizer = make_optimizer(module.parameters(), settings)
    for _ in range(3):
        before = predicted(module, words)
        module.train()
        module(words).data.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        module.eval()
        assert torch.allclose(predicted(module, words), exact(module, words), atol=1e-6)
        assert not torch.allclose(predicted(module, words), before, atol=1e-3)


def test_words_that_look_alike_to_the_vocabulary_share_a_vector() -> None:
    """Characters never seen are all the unknown one: different words, then, have the same ids."""
    featurizer, module = made(cache_words=20)
    for sentences in (
        [["日本", "中国", "東京", "dog"]],
        [["the", "日", "中", "a"]],
        [["god", "dogs"]],
        [["dog", "中国"]],
    ):
        words = batch(featurizer, sentences)
        assert torch.allclose(predicted(module, words), exact(module, words), atol=1e-6)
    words = batch(featurizer, [["日本", "dog", "the", "日", "a", "god", "dogs"]])
    assert torch.allclose(predicted(module, words), exact(module, words), atol=1e-6)
    assert sorted(module.cache._rows.values()) == list(range(7)), "each vector has a row of its own"


def test_after_loading_other_weights_the_cache_is_not_stale() -> None:
    featurizer, module = made()
    words = batch(featurizer, SENTENCES)
    outer = nn.Sequential(module).eval()
    predicted(module, words)
    outer.load_state_dict({name: tensor + 0.1 for name, tensor in outer.state_dict().items()})
    assert torch.allclose(predicted(module, words), exact(module, words), atol=1e-6)


def test_the_cache_serves_every_way_of_switching_gradients_off() -> None:
    featurizer, module = made()
    first, second = batch(featurizer, SENTENCES[:1]), batch(featurizer, SENTENCES[2:])
    predicted(module, first)
    with torch.no_grad():
        found = module(second).to_flat()
        module(first)
    assert not found.is_inference()
    assert torch.allclose(found, exact(module, second), atol=1e-6)
    assert torch.allclose(predicted(module, second), exact(module, second), atol=1e-6)


def test_the_cache_keeps_the_precision_of_the_module() -> None:
    featurizer, module = made()
    words = batch(featurizer, SENTENCES)
    module.double()
    assert torch.allclose(predicted(module, words), exact(module, words), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("cache_words", [0, 10])
def test_sentences_without_words_have_no_rows_of_full_width(cache_words: int) -> None:
    featurizer, module = made(cache_words=cache_words)
    assert predicted(module, batch(featurizer, [[], []])).shape == (0, module.output_size)


def test_a_copy_shares_neither_cache_nor_lock() -> None:
    featurizer, module = made()
    words = batch(featurizer, SENTENCES)
    before = predicted(module, words)
    other = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.2)
    assert torch.allclose(predicted(other, words), exact(other, words), atol=1e-6)
    assert torch.equal(predicted(module, words), before)
    other.load_state_dict(other.state_dict())
    assert len(module.cache._rows) > 0, "what is loaded into the copy does not touch the original"


def test_many_threads_share_a_module() -> None:
    featurizer, module = made(cache_words=6)
    batches = [batch(featurizer, [sentence]) for sentence in SENTENCES]
    expected = [exact(module, words) for words in batches]

    def work(seed: int) -> float:
        order = random.Random(seed).choices(range(len(batches)), k=40)
        return max(
            float((predicted(module, batches[number]) - expected[number]).abs().max())
            for number in order
            if len(expected[number])
        )

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(8))) < 1e-6


def test_a_thread_that_encodes_keeps_no_other_from_the_vectors_that_are_held() -> None:
    featurizer, module = made(cache_words=6)
    held, new = batch(featurizer, [["dog"]]), batch(featurizer, [["dogs", "dog"]])
    expected = predicted(module, held)
    encode, encoding, answered = module.encode, threading.Event(), threading.Event()

    def waiting(items: Sequences) -> Tensor:
        encoding.set()
        assert answered.wait(PATIENCE), "the other thread has no answer while this one encodes"
        return encode(items)

    module.encode = waiting  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(predicted, module, new)
        assert encoding.wait(PATIENCE)
        assert torch.equal(pool.submit(predicted, module, held).result(), expected)
        answered.set()
        assert torch.allclose(slow.result(), exact(module, new), atol=1e-6)


def test_vectors_of_weights_that_are_gone_are_not_kept() -> None:
    """Another thread clears the cache while this one encodes: what it has then belongs to no weights."""
    featurizer, module = made(cache_words=6)
    encode = module.encode

    def cleared_meanwhile(items: Sequences) -> Tensor:
        found = encode(items)
        module.cache.clear()
        return found

    module.encode = cleared_meanwhile  # type: ignore[method-assign]
    predicted(module, batch(featurizer, [["dog"]]))
    assert not module.cache._rows


def test_character_dropout_reads_characters_as_unknown_in_training_only() -> None:
    featurizer, module = made(char_dropout=0.5)
    words = batch(featurizer, SENTENCES)
    expected = exact(module, words)
    assert torch.equal(exact(module, words), expected)
    with seeded(1):
        assert not torch.allclose(exact(module.train(), words), expected)


@pytest.mark.parametrize(
    ("lowercase", "rows", "spelt"), [(True, [0, 0, 1, 1], "thedog"), (False, [0, 1, 2, 2], "Thethedog")]
)
def test_each_distinct_word_stands_in_the_table_once(*, lowercase: bool, rows: list[int], spelt: str) -> None:
    featurizer, _ = made(lowercase=lowercase)
    column = featurizer.encode([["The", "the", "dog"], ["dog"]])
    assert column.values.tolist() == rows
    assert column.table is not None
    assert column.table.lengths.tolist() == [3] * (max(rows) + 1)
    assert column.table.values.tolist() == featurizer.characters.encode(spelt)
