from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqlab.api import Sequences
from seqlab.builtin.speech.heads.ctc_decoding import BLANK, Greedy

CLASSES = 4


def plain(log_probs: Tensor) -> tuple[list[int], list[float], list[float]]:
    """The definition, frame by frame: merge repeats of the best class, drop blanks, average."""
    ids: list[int] = []
    probabilities: list[list[float]] = []
    frames: list[list[int]] = []
    before = None
    for number, frame in enumerate(log_probs.exp().tolist()):
        best = max(range(len(frame)), key=frame.__getitem__)
        if best != BLANK:
            if best == before:
                probabilities[-1].append(frame[best])
                frames[-1].append(number)
            else:
                ids.append(best)
                probabilities.append([frame[best]])
                frames.append([number])
        before = best
    return ids, *([sum(each) / len(each) for each in runs] for runs in (probabilities, frames))


def random_log_probs(lengths: list[int], seed: int, sharpness: float = 3.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        (sharpness * torch.randn(length, CLASSES, generator=generator, dtype=torch.float64)).log_softmax(-1)
        for length in lengths
    ]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 1000))
def test_the_best_path_is_that_of_a_plain_loop(lengths: list[int], seed: int) -> None:
    each = random_log_probs(lengths, seed)
    ids, probabilities, frames = Greedy().decode(Sequences.from_list(each))
    expected = [plain(log_probs) for log_probs in each]
    assert [row.tolist() for row in ids.to_list()] == [found for found, _, _ in expected]
    for found in (probabilities, frames):
        assert found.lengths.tolist() == ids.lengths.tolist()
    for row, read, (_, means, places) in zip(
        probabilities.to_list(), frames.to_list(), expected, strict=True
    ):
        assert row.tolist() == pytest.approx(means)
        assert read.tolist() == pytest.approx(places)


def decoded(classes: list[list[int]]) -> list[list[int]]:
    frames = [torch.eye(CLASSES)[row].mul(20).log_softmax(-1) for row in classes]
    ids, _, _ = Greedy().decode(Sequences.from_list(frames))
    return [row.tolist() for row in ids.to_list()]


def test_repeats_are_merged_unless_a_blank_stands_between() -> None:
    assert decoded([[1, 1, 0, 1, 2, 2], [0, 0], [3]]) == [[1, 1, 2], [], [3]]


def test_a_repeat_does_not_reach_into_the_next_sequence() -> None:
    assert decoded([[1, 2], [2, 2], [2]]) == [[1, 2], [2], [2]]


def test_only_blanks_and_no_frames_give_empty_answers() -> None:
    assert decoded([[0, 0, 0], [0]]) == [[], []]
    found = Greedy().decode(Sequences.from_list([torch.zeros(0, CLASSES)]))
    assert [each.lengths.tolist() for each in found] == [[0]] * 3


def test_an_answer_is_the_same_to_the_last_bit_in_any_batch() -> None:
    each = [row.float() for row in random_log_probs([7, 3, 0, 9, 1], 5)]
    together = Greedy().decode(Sequences.from_list(each))
    for number, row in enumerate(each):
        alone = Greedy().decode(Sequences.from_list([row]))
        for found, expected in zip(alone, together, strict=True):
            assert torch.equal(found.data, expected.to_list()[number])
