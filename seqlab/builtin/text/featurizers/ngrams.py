"""N-grams of words or of characters, as learned vectors, TF-IDF or naive-Bayes ratios.

Each word's features are the sum over the n-grams that end there, or over those of its characters. So a linear
model of n-grams is this, the encoder `bag` and a head, and a recurrent encoder can read the same features.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.api import Example, SeqlabError
from seqlab.builtin.core.learned import distinct_strings, numbers
from seqlab.builtin.core.vocabulary import UNKNOWN, Vocabulary
from seqlab.builtin.text.featurizers.ngram_units import NgramsOfCharacters, NgramsOfWords, NgramUnit
from seqlab.engine import Column, Indexed, Sequences

__all__ = [
    "NgramFeaturizer",
    "NgramSettings",
    "NgramVectors",
    "RatioVectors",
    "Unit",
    "Weighting",
    "log_count_ratios",
]

Unit: TypeAlias = Literal["words", "characters"]
Weighting: TypeAlias = Literal["learned", "tf_idf", "naive_bayes"]


@dataclass(frozen=True, kw_only=True)
class NgramSettings:
    """Which n-grams are read, and what becomes of them."""

    field: str = "tokens"
    unit: Unit = "words"
    min_n: int = 1
    n: int = 2
    weights: Weighting = "learned"
    target: str | None = None
    embedding_dim: int = 100
    init_std: float = 0.1
    min_count: int = 1
    max_features: int | None = None
    buckets: int | None = None
    once: bool = True
    lowercase: bool = False
    smoothing: float = 1.0
    dropout: float = 0.0


class NgramFeaturizer:
    """N-grams as ids, 0 for those that are unknown.

    With `buckets` an id is a hash, and nothing is learned but what the weights need.
    """

    def __init__(self, settings: NgramSettings) -> None:
        self.field = settings.field
        self.settings = settings
        kind = NgramsOfWords if settings.unit == "words" else NgramsOfCharacters
        self.unit: NgramUnit = kind(settings.min_n, settings.n, settings.once)
        self.vocabulary = Vocabulary()
        self.idf: list[float] = []
        self.classes: list[str] = []
        self.ratios: Tensor | None = None

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        """Learn the n-grams that the training split holds often enough, and how many sequences hold them."""
        self._fit_values(list(values))

    def fit_examples(self, examples: Iterable[Example]) -> None:
        """Learn besides how the n-grams go with the labels, where the weights need it."""
        examples = list(examples)
        values = [example.fields[self.field] for example in examples]
        self._fit_values(values)
        if self.settings.weights == "naive_bayes":
            assert self.settings.target is not None, "the builder names the target"
            gold = [_labels(example.fields[self.settings.target]) for example in examples]
            self._fit_ratios(values, gold)

    def state(self) -> dict[str, Any]:
        """Return the n-grams, their inverse document frequencies and the labels, as far as there are any."""
        return {"ngrams": self.vocabulary.symbols, "idf": self.idf, "classes": self.classes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned; the ratios are in the module's weights."""
        self.vocabulary = Vocabulary(distinct_strings(state, "ngrams"))
        self.idf = numbers(state, "idf")
        self.classes = distinct_strings(state, "classes")

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        """Return the ids of the n-grams at each word, in the form that their unit gives them."""
        return self.unit.encode([self._spelt(value) for value in values], self._number)

    def module(self) -> nn.Module:
        """Make the module for the fitted n-grams."""
        if self.settings.weights == "naive_bayes":
            ratios = self.ratios if self.ratios is not None else torch.zeros(self._size, len(self.classes))
            return RatioVectors(ratios, dropout=self.settings.dropout)
        idf = torch.tensor([0.0, *self.idf]) if self.settings.weights == "tf_idf" else None
        return NgramVectors(self._size, self.settings, idf)

    @property
    def _size(self) -> int:
        return 1 + (self.settings.buckets or len(self.vocabulary.symbols))

    def _fit_values(self, values: Sequence[Sequence[str]]) -> None:
        if self.settings.buckets is None:
            stream = (ngram for value in values for ngram in self.unit.ngrams(self._spelt(value)))
            counted = Vocabulary.counted(stream, noun="n-grams", min_count=self.settings.min_count)
            self.vocabulary = Vocabulary(counted.symbols[: self.settings.max_features])
        if self.settings.weights == "tf_idf":
            counts = Counter(number for value in values for number in self._present(value))
            # As if one sequence more held every n-gram, so that none is divided by 0.
            self.idf = [log((1 + len(values)) / (1 + counts[number])) + 1 for number in range(1, self._size)]

    def _fit_ratios(self, values: Sequence[Sequence[str]], gold: Sequence[Collection[str] | None]) -> None:
        self.classes = sorted({label for labels in gold for label in labels or ()})
        if not self.classes:
            raise SeqlabError(
                f"featurizer ngrams: no {self.settings.target!r} of the training split has a label, and"
                " weights: naive_bayes counts n-grams by label"
            )
        places = {label: number for number, label in enumerate(self.classes)}
        counts = torch.zeros(self._size, len(self.classes), dtype=torch.float64)
        total = torch.zeros(self._size, 1, dtype=torch.float64)
        for value, labels in zip(values, gold, strict=True):
            if labels is not None:
                present = torch.tensor(sorted(self._present(value)), dtype=torch.int64)
                total[present] += 1
                for label in labels:
                    counts[present, places[label]] += 1
        self.ratios = log_count_ratios(counts, total - counts, self.settings.smoothing).float()

    def _present(self, value: Sequence[str]) -> set[int]:
        return {self._number(ngram) for ngram in self.unit.ngrams(self._spelt(value))} - {UNKNOWN}

    def _spelt(self, value: Sequence[str]) -> Sequence[str]:
        return [word.lower() for word in value] if self.settings.lowercase else value

    def _number(self, ngram: str) -> int:
        if self.settings.buckets is None:
            return self.vocabulary.number(ngram)
        return 1 + zlib.crc32(ngram.encode(errors="surrogatepass")) % self.settings.buckets


def _labels(value: Any) -> Collection[str] | None:
    return (value,) if isinstance(value, str) else value


def log_count_ratios(counts: Tensor, others: Tensor, smoothing: float) -> Tensor:
    """Return the naive-Bayes log-count ratios of Wang and Manning (2012), shape (ngrams + 1, classes).

    `counts` says in how many sequences of each class an n-gram is, `others` in how many of the other classes;
    `smoothing` is added to both. r = log((p / |p|) / (q / |q|)), where |p| sums over the n-grams. Row 0, that
    of unknown n-grams, is 0.
    """
    p, q = counts[1:] + smoothing, others[1:] + smoothing
    ratios = (p / p.sum(0)).log() - (q / q.sum(0)).log()
    return torch.cat([ratios.new_zeros(1, counts.shape[1]), ratios])


class NgramVectors(nn.Module):
    """The sum of the learned vectors of each word's n-grams, each times its weight, if any."""

    def __init__(self, size: int, settings: NgramSettings, weights: Tensor | None) -> None:
        super().__init__()
        self.output_size = settings.embedding_dim
        self.table = nn.Embedding(size, settings.embedding_dim, padding_idx=UNKNOWN)
        with torch.no_grad():
            self.table.weight.mul_(settings.init_std)
        self.dropout = settings.dropout
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, ngrams: Sequences | Indexed) -> Sequences:
        """Map the ids of n-grams to vectors (words, embedding_dim)."""
        return summed(ngrams, self._vectors)

    def _vectors(self, ids: Tensor) -> Tensor:
        ids = dropped(ids, self.dropout if self.training else 0.0)
        vectors: Tensor = self.table(ids)
        return vectors if self.weights is None else vectors * self.weights[ids][..., None]


class RatioVectors(nn.Module):
    """The sum of the log-count ratios of each word's n-grams, each times a learned weight.

    The weights begin at `START` for all, which is naive Bayes; weight decay draws them together again, as the
    interpolation of Wang and Manning (2012) does.
    """

    START = 0.1

    def __init__(self, ratios: Tensor, *, dropout: float) -> None:
        super().__init__()
        self.output_size = ratios.shape[1]
        self.dropout = dropout
        self.ratios: Tensor
        self.register_buffer("ratios", ratios)
        self.changes = nn.Parameter(torch.zeros_like(ratios))

    def forward(self, ngrams: Sequences | Indexed) -> Sequences:
        """Map the ids of n-grams to weighted ratios, one for each class: (words, classes)."""
        return summed(ngrams, self._weighted)

    def _weighted(self, ids: Tensor) -> Tensor:
        ids = dropped(ids, self.dropout if self.training else 0.0)
        weights: Tensor = self.START + nn.functional.embedding(ids, self.changes)
        return self.ratios[ids] * weights


def summed(ngrams: Sequences | Indexed, vectors: Callable[[Tensor], Tensor]) -> Sequences:
    """Return each word's sum of the vectors of its n-grams, shape (words, size).

    The n-grams are ids (words, orders), or, of characters, those of each distinct word.
    """
    if isinstance(ngrams, Sequences):
        return ngrams.with_data(vectors(ngrams.data).sum(dim=1))
    each = vectors(ngrams.items.data)
    sums = each.new_zeros(len(ngrams.items), each.shape[1])
    sums = sums.index_add(0, ngrams.items.layout.items, each)
    return ngrams.rows.with_data(sums[ngrams.rows.data])


def dropped(ids: Tensor, share: float) -> Tensor:
    """Return the ids with a random share of them unknown."""
    if not share:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < share, UNKNOWN)
