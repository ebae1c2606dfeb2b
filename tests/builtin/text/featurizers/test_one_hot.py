from __future__ import annotations

import torch

from seqlab.api import Sequences
from seqlab.builtin.text.featurizers.one_hot import OneHot


def test_each_word_has_its_own_place() -> None:
    module = OneHot(4)
    words = Sequences.from_list([torch.tensor([3, 0]), torch.tensor([1])])
    features = module(words)
    assert features.data.dtype == torch.float32
    assert [each.tolist() for each in features.to_list()] == [[[0, 0, 0, 1], [1, 0, 0, 0]], [[0, 1, 0, 0]]]
    assert module.output_size == 4
    assert not list(module.parameters())


def test_no_words_have_no_rows_of_full_width() -> None:
    empty = Sequences.from_flat(torch.empty(0, dtype=torch.int64), [0])
    assert OneHot(4)(empty).data.shape == (0, 4)
