from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from seqlab.engine import Layout, Sequences

FEATURES = 2
ANY_LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=7)
EQUAL_LENGTHS = st.tuples(st.integers(0, 4), st.integers(1, 5)).map(lambda pair: [pair[0]] * pair[1])
LENGTHS = st.one_of(ANY_LENGTHS, EQUAL_LENGTHS)
QUICK = settings(max_examples=25, deadline=None)


def tensors(lengths: list[int]) -> list[Tensor]:
    """Sequences whose rows are all different."""
    flat = torch.arange(sum(lengths) * FEATURES, dtype=torch.float32).reshape(-1, FEATURES)
    return list(torch.split(flat, lengths))


@QUICK
@given(LENGTHS)
def test_lists_come_back_in_the_callers_order(lengths: list[int]) -> None:
    given_ones = tensors(lengths)
    for found, expected in zip(Sequences.from_list(given_ones).to_list(), given_ones, strict=True):
        assert torch.equal(found, expected)


@QUICK
@given(LENGTHS)
def test_flat_data_comes_back(lengths: list[int]) -> None:
    flat = torch.cat(tensors(lengths))
    assert torch.equal(Sequences.from_flat(flat, lengths).to_flat(), flat)


@QUICK
@given(LENGTHS, st.integers(0, 2))
def test_padded_data_comes_back_whatever_the_padding_holds(lengths: list[int], extra: int) -> None:
    given_ones = tensors(lengths)
    padded = torch.full((len(lengths), max(lengths) + extra, FEATURES), torch.nan)
    for row, each in zip(padded, given_ones, strict=True):
        row[: len(each)] = each
    sequences = Sequences.from_padded(padded, torch.tensor(lengths))
    assert torch.equal(sequences.to_flat(), torch.cat(given_ones))
    assert torch.equal(
        sequences.to_padded(-1.0), pad_sequence(given_ones, batch_first=True, padding_value=-1.0)
    )


@QUICK
@given(st.lists(st.integers(1, 6), min_size=1, max_size=7))
def test_rows_are_those_of_torchs_packed_sequence(lengths: list[int]) -> None:
    padded = pad_sequence(tensors(lengths), batch_first=True)
    expected = pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    found = Sequences.from_padded(padded, lengths).packed()
    # Ties in length may be broken either way by torch, whose sort is not stable: compare step by step.
    assert torch.equal(found.batch_sizes, expected.batch_sizes)
    steps = zip(
        torch.split(found.data, found.batch_sizes.tolist()),
        torch.split(expected.data, found.batch_sizes.tolist()),
        strict=True,
    )
    for ours, theirs in steps:
        assert sorted(ours.tolist()) == sorted(theirs.tolist())


def test_rows_equal_torchs_where_no_lengths_tie() -> None:
    lengths = [3, 6, 1, 4]
    padded = pad_sequence(tensors(lengths), batch_first=True)
    expected = pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    found = Sequences.from_padded(padded, lengths).packed()
    assert torch.equal(found.data, expected.data)
    assert torch.equal(found.batch_sizes, expected.batch_sizes)


@QUICK
@given(LENGTHS)
def test_mask_is_true_up_to_each_length(lengths: list[int]) -> None:
    mask = Sequences.from_list(tensors(lengths)).mask()
    assert mask.shape == (len(lengths), max(lengths))
    assert mask.tolist() == [[step < length for step in range(max(lengths))] for length in lengths]


@QUICK
@given(LENGTHS)
def test_ranks_and_last_rows_are_those_of_the_packed_order(lengths: list[int]) -> None:
    layout = Sequences.from_flat(torch.zeros(sum(lengths)), lengths).layout
    sizes = layout.steps
    assert layout.ranks.tolist() == [rank for size in sizes for rank in range(size)]
    alive = sorted((length for length in lengths if length), reverse=True)
    assert layout.lasts.tolist() == [sum(sizes[: length - 1]) + rank for rank, length in enumerate(alive)]


@QUICK
@given(LENGTHS)
def test_expand_gives_each_row_the_entry_of_its_sequence(lengths: list[int]) -> None:
    sequences = Sequences.from_list(tensors(lengths))
    numbers = sequences.with_data(sequences.expand(torch.arange(len(lengths)))).to_list()
    assert [each.tolist() for each in numbers] == [[n] * length for n, length in enumerate(lengths)]


@QUICK
@given(LENGTHS, st.lists(st.integers(0, 99), max_size=5))
def test_selected_sequences_come_in_the_order_asked_for(lengths: list[int], wish: list[int]) -> None:
    choice = [number % len(lengths) for number in wish]
    found = Sequences.from_list(tensors(lengths)).select(torch.tensor(choice, dtype=torch.int64))
    assert found.lengths.tolist() == [lengths[number] for number in choice]
    for each, number in zip(found.to_list(), choice, strict=True):
        assert torch.equal(each, tensors(lengths)[number])


@pytest.mark.parametrize("use", ["to_flat", "to_padded", "packed", "mask"])
def test_a_batch_first_used_in_inference_mode_can_be_trained_on(use: str) -> None:
    layer = torch.nn.Linear(FEATURES, FEATURES)
    batch = Sequences.from_list(tensors([3, 1]))
    with torch.inference_mode():
        getattr(batch, use)()
        batch.expand(torch.zeros(2))
    for result in (
        batch.with_data(layer(batch.data)).to_flat(),
        batch.with_data(layer(batch.data)).to_padded(),
    ):
        layer.zero_grad()
        torch.autograd.backward(result.sum())
        assert layer.weight.grad is not None


@QUICK
@given(LENGTHS, st.integers(1, 8))
def test_chunks_put_together_are_the_whole(lengths: list[int], steps: int) -> None:
    whole = Sequences.from_list(tensors(lengths))
    chunks = list(whole.chunks(steps))
    assert torch.equal(torch.cat([chunk.data for chunk in chunks]), whole.data)
    assert all(len(chunk) == len(whole) and chunk.layout.longest <= steps for chunk in chunks)
    together = [torch.cat(parts) for parts in zip(*(chunk.to_list() for chunk in chunks), strict=True)]
    for found, expected in zip(together, whole.to_list(), strict=True):
        assert torch.equal(found, expected)


def test_chunks_share_the_memory_of_the_whole() -> None:
    whole = Sequences.from_list(tensors([5, 0, 3]))
    start = whole.data.untyped_storage().data_ptr()
    assert all(chunk.data.untyped_storage().data_ptr() == start for chunk in whole.chunks(2))


@QUICK
@given(LENGTHS)
def test_a_chunk_of_everything_is_the_batch_itself(lengths: list[int]) -> None:
    whole = Sequences.from_list(tensors(lengths))
    assert [*whole.chunks(None)] == [whole]
    assert [*whole.chunks(max(lengths) + 1)] == [whole]


@QUICK
@given(LENGTHS)
def test_inputs_stay_as_they_were(lengths: list[int]) -> None:
    flat, sizes = torch.cat(tensors(lengths)), torch.tensor(lengths)
    before = flat.clone()
    sequences = Sequences.from_flat(flat, sizes)
    sequences.to_padded(), sequences.to_list(), list(sequences.chunks(2))
    assert torch.equal(flat, before)
    assert sizes.tolist() == lengths == sequences.lengths.tolist()


def test_a_batch_of_nothing_is_allowed() -> None:
    nothing = Sequences.from_flat(torch.empty(0, FEATURES), [])
    assert len(nothing) == nothing.layout.total == nothing.layout.longest == 0
    assert nothing.to_padded().shape == (0, 0, FEATURES)
    assert nothing.to_list() == []


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([2.5]), "lengths must be a 1-d int64 tensor, got torch.float32 of shape (1,)"),
        ([1, 0.5], "lengths must be a 1-d int64 tensor, got torch.float32 of shape (2,)"),
        (torch.ones(2, 2).long(), "lengths must be a 1-d int64 tensor, got torch.int64 of shape (2, 2)"),
        (torch.tensor(3), "lengths must be a 1-d int64 tensor, got torch.int64 of shape ()"),
        ([2, -1], "lengths must be at least 0, got -1"),
    ],
)
def test_lengths_that_are_none_are_refused(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Layout.of(lengths)


def test_lengths_of_any_integer_type_are_taken() -> None:
    assert Layout.of(torch.tensor([2, 1], dtype=torch.int32)).lengths.dtype == torch.int64


def test_rows_and_lengths_that_disagree_are_refused() -> None:
    rows = torch.zeros(4, FEATURES)
    with pytest.raises(ValueError, match=r"^data has 4 rows, but the lengths add up to 3$"):
        Sequences(rows, Layout.of([2, 1]))
    with pytest.raises(ValueError, match=r"^flat data has 4 rows, but the lengths add up to 5$"):
        Sequences.from_flat(rows, [5])
    message = r"^padded data of shape \(1, 4, 2\) cannot hold 2 sequences of up to 3 steps$"
    with pytest.raises(ValueError, match=message):
        Sequences.from_padded(rows[None], [3, 1])
    with pytest.raises(ValueError, match=r"cannot hold 1 sequences of up to 5 steps$"):
        Sequences.from_padded(rows[None], [5])
