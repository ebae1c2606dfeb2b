"""Word vectors from characters by a bidirectional LSTM, each distinct word encoded once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from seqlab.builtin.core.learned import distinct_strings
from seqlab.builtin.core.vocabulary import UNKNOWN, Vocabulary
from seqlab.builtin.text.featurizers.words import numbered
from seqlab.engine import Column, Indexed, RecurrentSpec, RecurrentStack, SequenceDropout, Sequences
from seqlab.engine.sequences import RepeatedRows

__all__ = ["CharLSTM", "CharLSTMFeaturizer"]


class CharLSTMFeaturizer:
    """The character vocabulary of a `char_lstm`; `make` is given its size and returns the module."""

    def __init__(
        self, field: str, make: Callable[[int], nn.Module], *, min_count: int = 1, lowercase: bool = False
    ) -> None:
        self.field = field
        self.make = make
        self.min_count = min_count
        self.lowercase = lowercase
        self.characters = Vocabulary()

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        """Learn the characters of the training split's words."""
        stream = (char for value in values for word in value for char in self._spelt(word))
        self.characters = Vocabulary.counted(stream, noun="characters", min_count=self.min_count)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"characters": self.characters.symbols}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.characters = Vocabulary(distinct_strings(state, "characters"))

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        """Return, per word, its index in a table of the characters of the words, as spelt, each once."""
        items: dict[str, int] = {}
        words = numbered(values, lambda word: items.setdefault(self._spelt(word), len(items)))
        chars = torch.tensor(self.characters.encode("".join(items)), dtype=torch.int64)
        table = Column(chars, torch.tensor(list(map(len, items)), dtype=torch.int64))
        return Column(words.values, words.lengths, table)

    def module(self) -> nn.Module:
        """Make the character LSTM."""
        return self.make(len(self.characters))

    def _spelt(self, word: str) -> str:
        return word.lower() if self.lowercase else word


class CharLSTM(nn.Module):
    """Characters to word vectors of size 2 * hidden_size (Ling et al. 2015, "Finding Function in Form")."""

    pointwise = True

    def __init__(
        self,
        num_embeddings: int,
        spec: RecurrentSpec,
        *,
        char_dropout: float = 0.0,
        dropout: float = 0.0,
        cache_words: int = 0,
    ) -> None:
        super().__init__()
        self.output_size = spec.output_size
        self.char_dropout = char_dropout
        self.table = nn.Embedding(num_embeddings, spec.input_size)
        self.dropout = SequenceDropout(dropout)
        self.stack = RecurrentStack(spec)
        self.cache = VectorCache(cache_words)
        self.register_load_state_dict_post_hook(_forget_vectors)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> Self:
        """Switch the mode; cached vectors belong to the weights of before."""
        self.cache.clear()
        return super().train(mode)

    def forward(self, words: Indexed) -> Sequences:
        """Map words (rows,) over distinct words' characters to vectors (rows, 2 * hidden_size)."""
        if self.training or torch.is_grad_enabled():
            vectors = self.encode(words.items)
        else:
            vectors = self.cache.vectors(self, words.items)
        features: Sequences = self.dropout(words.rows.with_data(vectors[words.rows.data]))
        return features

    def encode(self, items: Sequences) -> Tensor:
        """Map words' characters (rows,) to vectors (words, output_size)."""
        chars: Sequences = RepeatedRows(self.table.weight, items)
        if self.training:
            chars = self.dropout(items.with_data(self.table(self._dropped(items.data))))
        hidden, *_ = self.stack.final_state(chars)
        return hidden[:, -2:].flatten(1)

    def _dropped(self, ids: Tensor) -> Tensor:
        if not self.training or not self.char_dropout:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.char_dropout, UNKNOWN)


def _forget_vectors(module: nn.Module, _keys: object) -> None:
    assert isinstance(module, CharLSTM), "it is registered there only"
    module.cache.clear()


class VectorCache:
    """Word vectors of a CharLSTM in prediction, at most `size` of them, safe to share between threads.

    Keys are a word's character ids. Running full empties the cache: words follow Zipf's law, so the frequent
    ones are back at once.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._rows: dict[bytes, int] = {}
        self._vectors = torch.empty(0)
        self._cleared = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(self.size)

    def clear(self) -> None:
        """Forget all vectors: the weights are about to change, or have changed."""
        with self._lock:
            self._rows.clear()
            self._vectors = torch.empty(0)
            self._cleared += 1

    def vectors(self, module: CharLSTM, items: Sequences) -> Tensor:
        """Return the vectors of these words, shape (words, output_size), encoding only those not held."""
        if not 0 < len(items) <= self.size:
            return module.encode(items)
        # By key, not by word: words of unknown characters may be spelt with the same ids.
        keys = _keys(items)
        places = {key: place for place, key in enumerate(keys)}
        with self._lock:
            cleared = self._cleared
            held = {key: row for key in places if (row := self._rows.get(key)) is not None}
            known = self._vectors[torch.tensor(list(held.values()), dtype=torch.int64)] if held else None
        missing = [key for key in places if key not in held]
        # No lock is held meanwhile: other threads go on, and may encode the same words.
        new = module.encode(items.select(torch.tensor([places[key] for key in missing]))) if missing else None
        if new is not None:
            self._add(missing, new, cleared)
        rows = {key: row for row, key in enumerate((*held, *missing))}
        both = torch.cat([part for part in (known, new) if part is not None])
        return both[torch.tensor([rows[key] for key in keys], dtype=torch.int64)]

    def _add(self, keys: Sequence[bytes], vectors: Tensor, cleared: int) -> None:
        """Take in vectors, unless they are of weights from before the last time that it was cleared."""
        with self._lock:
            if self._cleared != cleared:
                return
            if not len(self._vectors):
                # An ordinary tensor: one made in inference mode could not be filled outside of it.
                with torch.inference_mode(mode=False):
                    self._vectors = vectors.new_empty(self.size, vectors.shape[1])
            # Another thread may have added some of them.
            fresh = [place for place, key in enumerate(keys) if key not in self._rows]
            if len(self._rows) + len(fresh) > self.size:
                self._rows.clear()
                fresh = list(range(len(keys)))
            first = len(self._rows)
            self._vectors[first : first + len(fresh)] = vectors[torch.tensor(fresh, dtype=torch.int64)]
            self._rows |= {keys[place]: first + number for number, place in enumerate(fresh)}


def _keys(items: Sequences) -> list[bytes]:
    """Return each word's character ids as bytes."""
    flat = items.to_flat().cpu().numpy()
    width = flat.itemsize
    raw = flat.tobytes()
    ends = (items.lengths.cumsum(0) * width).tolist()
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
