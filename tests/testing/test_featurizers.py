from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
import torch
from contract import Configs, registered, rows
from torch import nn

from seqlab.api import Column, Component, Config, Example, FeaturizerContext, Sequences
from seqlab.testing import check_featurizer

TABLE: Configs = {
    "embedding": [
        {"embedding_dim": 4, "unknown": "zero"},
        {"embedding_dim": 4, "word_dropout": 0.3, "dropout": 0.2},
        {"embedding_dim": 3, "min_count": 2, "lowercase": True},
    ],
    "ngrams": [
        {"embedding_dim": 4},
        {"embedding_dim": 3, "n": 3, "weights": "tf_idf", "lowercase": True, "once": False},
        {"embedding_dim": 3, "buckets": 7, "dropout": 0.2},
        {"embedding_dim": 3, "max_features": 3},
        {"weights": "naive_bayes", "n": 3, "dropout": 0.3, "target": "label"},
        {"weights": "naive_bayes", "buckets": 5, "target": "label"},
        {"embedding_dim": 3, "unit": "characters", "min_n": 2, "n": 3, "weights": "tf_idf"},
        {"unit": "characters", "n": 3, "once": False, "weights": "naive_bayes", "target": "label"},
    ],
    "one_hot": [{}, {"lowercase": True}, {"min_count": 2}],
    "char_lstm": [
        {"embedding_dim": 3, "hidden_size": 4},
        {"embedding_dim": 3, "hidden_size": 2, "num_layers": 2, "lowercase": True, "dropout": 0.3},
        {"embedding_dim": 3, "hidden_size": 4, "cache_words": 0, "char_dropout": 0.0, "min_count": 2},
        {"embedding_dim": 3, "hidden_size": 4, "cache_words": 4},
    ],
    "mfcc": [{}, {"deltas": 2, "normalize": "utterance", "n_mfcc": 20}, {"stack": 3, "stride": 3}],
    "log_mel": [
        {},
        {"sample_rate": 8_000, "normalize": "none", "dither": 1e-4, "stack": 2},
        {"backend": "librosa", "n_mels": 64, "n_fft": 1024, "cache": False},
    ],
    "spectrogram": [{}, {"window": 32.0, "power": 1, "log": False}, {"stride": 4, "normalize": "none"}],
}


def test_every_built_in_featurizer_stands_in_the_table() -> None:
    assert registered("featurizer").keys() == TABLE.keys()


@pytest.mark.parametrize(("component", "config"), rows("featurizer", TABLE))
def test_built_in_featurizers_keep_the_contract(component: Component[Any], config: dict[str, Any]) -> None:
    check_featurizer(component, **config)


class Module(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.output_size = 3
        self.table = nn.Embedding(size, 3)

    def forward(self, words: Sequences) -> Sequences:
        return words.with_data(self.table(words.data))


class Good:
    """Words by number, 0 the unknown."""

    field = "tokens"
    make: type[nn.Module] = Module

    def __init__(self) -> None:
        self.words: list[str] = []

    def fit(self, values: Iterable[Any]) -> None:
        self.words = sorted({word for value in values for word in value})

    def state(self) -> dict[str, Any]:
        return {"words": self.words}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.words = list(state["words"])

    def encode(self, values: Sequence[Any]) -> Column:
        ids = {word: number for number, word in enumerate(self.words, start=1)}
        return Column.of([[ids.get(word, 0) for word in value] for value in values])

    def module(self) -> nn.Module:
        return self.make(len(self.words) + 1)


class ForgetsItsVocabulary(Good):
    def restore(self, state: Mapping[str, Any]) -> None:
        self.words = list(state["words"])[::-1]


class RefusesUnknownWords(Good):
    def encode(self, values: Sequence[Any]) -> Column:
        return Column.of([[self.words.index(word) for word in value if word] for value in values])


class DropsUnknownWords(Good):
    def encode(self, values: Sequence[Any]) -> Column:
        return Column.of([[self.words.index(word) + 1 for word in v if word in self.words] for v in values])


def with_module(forward: Any, **attributes: Any) -> type[Good]:
    """A featurizer whose module differs in its forward pass or its attributes."""

    class Broken(Module):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            for name, value in attributes.items():
                setattr(self, name, value() if callable(value) else value)

        def forward(self, words: Sequences) -> Sequences:
            features = super().forward(words)
            return features.with_data(forward(self, features))

    class Featurizer(Good):
        make = Broken

    return Featurizer


def in_prediction(module: nn.Module, features: Sequences) -> torch.Tensor:
    return features.data if torch.is_grad_enabled() else features.data + 1


Noisy = with_module(lambda module, features: nn.functional.dropout(features.data))
SumsOverTheBatch = with_module(lambda module, features: features.data + features.data.mean())
LiesAboutItsSize = with_module(lambda module, features: features.data, output_size=4)
DeadParameter = with_module(lambda module, features: features.data, dead=lambda: nn.Parameter(torch.ones(1)))
HidesWeights = with_module(
    lambda module, features: features.data + module.hidden, hidden=lambda: torch.randn(3)
)
DiffersInPrediction = with_module(in_prediction)
LooksAtTheOrder = with_module(
    lambda module, features: features.data + float(features.lengths[0] > features.lengths[-1])
)
CountsSteps = with_module(
    lambda module, features: features.data + features.layout.times[:, None], pointwise=True
)


def component(made: type[Any]) -> Component[Any]:
    def build(config: Config, context: FeaturizerContext) -> Any:
        return made()

    return Component(name="mine", config=Config, build=build, summary="for the tests")


def test_a_featurizer_that_keeps_the_contract_passes() -> None:
    check_featurizer(component(Good))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ForgetsItsVocabulary, "after a round trip of what was learned the features: differs by up to "),
        (DropsUnknownWords, "features have shape (0, 3), not (3, 3)"),
        (Noisy, "asked twice, the features: differs by up to "),
        (SumsOverTheBatch, "value 0 alone and in a batch: the features: differs by up to "),
        (LiesAboutItsSize, "features have shape (3, 3), not (3, 4)"),
        (DeadParameter, "no gradient reaches dead"),
        (HidesWeights, "after a round trip through the state dict the answer: differs by up to "),
        (LooksAtTheOrder, "with the batch in another order the features: differs by up to "),
        (CountsSteps, "pointwise, but the features of a row alone and in its sequence: differs by up to "),
        (DiffersInPrediction, "value 0 in prediction: the features: differs by up to "),
    ],
)
def test_a_broken_featurizer_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_featurizer(component(broken))


def test_an_error_for_an_unknown_word_is_not_swallowed() -> None:
    with pytest.raises(ValueError, match="is not in list"):
        check_featurizer(component(RefusesUnknownWords))


def test_a_vocabulary_that_is_no_json_is_no_vocabulary() -> None:
    class Binary(Good):
        def state(self) -> dict[str, Any]:
            return {"words": {*self.words}}

    with pytest.raises(TypeError, match="not JSON serializable"):
        check_featurizer(component(Binary))


class Loudness:
    """Of sound: the mean square of every tenth of a second, and of what is left."""

    field = "audio"

    def fit(self, values: Iterable[Any]) -> None:
        self.levels = [float(self.encode([value]).values.mean()) for value in values]

    def state(self) -> dict[str, Any]:
        return {"level": sum(self.levels) / len(self.levels)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.levels = [state["level"]]

    def encode(self, values: Sequence[Any]) -> Column:
        frames = [torch.tensor(self.frames(value)) for value in values]
        return Column(torch.cat(frames)[:, None], torch.tensor([len(each) for each in frames]))

    def frames(self, value: Any) -> list[float]:
        samples, size = value.samples(), value.sample_rate // 10
        return [float((samples[at : at + size] ** 2).mean()) for at in range(0, len(samples), size)]

    def module(self) -> nn.Module:
        module = nn.Identity()
        module.output_size = 1
        return module


class LouderAmongOthers(Loudness):
    def encode(self, values: Sequence[Any]) -> Column:
        column = super().encode(values)
        return Column(column.values / column.values.max(), column.lengths)


class DropsWhatIsShort(Loudness):
    def frames(self, value: Any) -> list[float]:
        return super().frames(value)[: len(value.samples()) * 10 // value.sample_rate]


def test_a_featurizer_of_sound_that_keeps_the_contract_passes() -> None:
    check_featurizer(component(Loudness))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (LouderAmongOthers, "value 0 alone and in a batch: the features: differs by up to "),
        (DropsWhatIsShort, "features have shape (0, 1), not (1, 1)"),
    ],
)
def test_a_broken_featurizer_of_sound_is_told_what_is_broken(broken: type[Loudness], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_featurizer(component(broken))


class Reads(Good):
    """A featurizer of another field."""

    def __init__(self, field: str) -> None:
        super().__init__()
        self.field = field


def test_a_featurizer_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(AssertionError, match="it reads field 'past'; one of: audio, frames, image"):
        check_featurizer(component(lambda: Reads("past")))


class Scaled:
    """Numbers in a row, divided by the largest that training saw."""

    field = "series"

    def __init__(self) -> None:
        self.largest = 1.0

    def fit(self, values: Iterable[Any]) -> None:
        self.largest = max(number for value in values for number in value)

    def state(self) -> dict[str, Any]:
        return {"largest": self.largest}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.largest = state["largest"]

    def encode(self, values: Sequence[Any]) -> Column:
        flat = [[number / self.largest] for value in values for number in value]
        return Column(torch.tensor(flat), torch.tensor([len(value) for value in values]))

    def module(self) -> nn.Module:
        module = nn.Identity()
        module.output_size = 1
        return module


class ForgetsTheLargest(Scaled):
    def restore(self, state: Mapping[str, Any]) -> None:
        pass


class ScalesByTheBatch(Scaled):
    def encode(self, values: Sequence[Any]) -> Column:
        self.fit([*values, [0.5]])
        return super().encode(values)


class DropsTheFirst(Scaled):
    def encode(self, values: Sequence[Any]) -> Column:
        return super().encode([value[1:] for value in values])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ForgetsTheLargest, "after a round trip of what was learned the features: differs by up to "),
        (ScalesByTheBatch, "value 0 alone and in a batch: the features: differs by up to "),
        (DropsTheFirst, "features have shape (0, 1), not (1, 1)"),
    ],
)
def test_a_broken_featurizer_of_numbers_is_told_what_is_broken(broken: type[Scaled], message: str) -> None:
    check_featurizer(component(Scaled))
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_featurizer(component(broken))


def test_what_training_never_saw_is_among_the_values() -> None:
    seen: list[Any] = []

    class Looks(Scaled):
        def fit(self, values: Iterable[Any]) -> None:
            seen.extend(values)
            super().fit(values)

        def encode(self, values: Sequence[Any]) -> Column:
            unseen.extend(value for value in values if value not in seen)
            return super().encode(values)

    unseen: list[Any] = []
    check_featurizer(component(Looks))
    assert seen
    assert unseen


def test_one_that_learns_of_whole_examples_is_given_them() -> None:
    found: list[Example] = []

    class Learns(Scaled):
        def fit_examples(self, examples: Iterable[Example]) -> None:
            found.extend(examples)
            self.fit([example.fields["series"] for example in found])

    check_featurizer(component(Learns))
    assert found
    assert {"label", "series", "tokens"} <= found[0].fields.keys()
