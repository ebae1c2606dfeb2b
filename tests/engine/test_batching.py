from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.engine import Budget, Column, Dataset, Indexed, Sequences, plan_batches
from seqlab.engine.batching import distinct_rows

QUICK = settings(max_examples=25, deadline=None)
ITEMS = st.lists(st.lists(st.integers(0, 5), max_size=5), min_size=1, max_size=8)
LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=20)


def listed(sequences: Sequences) -> list[list[int]]:
    return [each.tolist() for each in sequences.to_list()]


@st.composite
def items_and_choice(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    items = draw(ITEMS)
    return items, draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=6))


@QUICK
@given(items_and_choice())
def test_a_column_gathers_what_indexing_a_list_would(drawn: tuple[list[list[int]], list[int]]) -> None:
    items, choice = drawn
    found = Column.of(items).gather(torch.tensor(choice))
    assert isinstance(found, Sequences)
    assert listed(found) == [items[number] for number in choice]


@QUICK
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 1)), max_size=4), min_size=1))
def test_distinct_rows_hold_each_row_once_and_give_all_back(pairs: list[list[tuple[int, int]]]) -> None:
    columns = [Column.of([[pair[side] for pair in item] for item in pairs]) for side in (0, 1)]
    batch = [column.gather(torch.arange(len(pairs))) for column in columns]
    found = distinct_rows(batch)
    flat = {pair for item in pairs for pair in item}
    if not flat:
        assert found is None
        return
    assert found is not None
    once, index = found
    rows = [column.data for column in once if isinstance(column, Sequences)]
    assert len(rows[0]) == len(flat)
    for whole, part in zip(batch, rows, strict=True):
        assert isinstance(whole, Sequences)
        assert torch.equal(part[index], whole.data)


def test_rows_that_are_not_integers_are_not_compared() -> None:
    assert distinct_rows([Sequences.from_list([torch.zeros(3)])]) is None


@QUICK
@given(items_and_choice())
def test_a_table_gathers_each_used_item_once(drawn: tuple[list[list[int]], list[int]]) -> None:
    items, choice = drawn
    words = ["", "a", "bc", "cab", "abba", "b"]
    table = Column.of([[ord(char) for char in word] for word in words])
    column = Column.of(items)
    found = Column(column.values, column.lengths, table).gather(torch.tensor(choice))
    assert isinstance(found, Indexed)
    spelt = ["".join(map(chr, each)) for each in listed(found.items)]
    used = {words[number] for place in choice for number in items[place]}
    assert sorted(spelt) == sorted(used), "each word that occurs stands there exactly once"
    read = [[spelt[row] for row in rows] for rows in listed(found.rows)]
    assert read == [[words[number] for number in items[place]] for place in choice]


def test_chunks_of_an_indexed_column_have_the_items_that_they_use() -> None:
    table = Column.of([[1], [2, 3]])
    whole = Column(torch.tensor([0, 1, 0, 1]), torch.tensor([3, 1]), table).gather(torch.tensor([0, 1]))
    assert isinstance(whole, Indexed)
    first, second = whole.chunks(2)
    assert len(first.items) == 2
    assert len(second.items) == 1
    items = whole.items.to_list()
    found = [part.items.to_list()[row] for part in (first, second) for row in part.rows.data.tolist()]
    expected = [items[row] for row in whole.rows.data.tolist()]
    assert all(map(torch.equal, found, expected))
    unbegun = whole.unbegun()
    assert unbegun.rows.lengths.tolist() == [0, 0]


def test_a_table_of_a_table_is_refused() -> None:
    inner = Column(torch.tensor([0]), torch.tensor([1]), Column.of([[1]]))
    with pytest.raises(TypeError, match=r"^a table of a table cannot be gathered$"):
        Column(torch.tensor([0]), torch.tensor([1]), inner).gather(torch.tensor([0]))


def test_a_column_whose_lengths_do_not_add_up_is_refused() -> None:
    message = "a column of 3 rows cannot have lengths that add up to 4"
    with pytest.raises(ValueError, match=f"^{message}$"):
        Column(torch.zeros(3), torch.tensor([2, 2]))


@QUICK
@given(items_and_choice())
def test_a_data_set_gathers_features_and_targets_of_the_same_examples(
    drawn: tuple[list[list[int]], list[int]],
) -> None:
    items, choice = drawn
    doubled = [[2 * value for value in item] for item in items]
    shorter = [item[:1] for item in items]
    columns = (Column.of(items), Column.of(doubled))
    data = Dataset(columns, {"same": Column.of(items), "shorter": Column.of(shorter)})
    batch = data.gather(torch.tensor(choice))
    expected = [items[number] for number in choice]
    features = [each for each in batch.features if isinstance(each, Sequences)]
    assert listed(features[0]) == listed(batch.targets["same"]) == expected
    assert listed(features[1]) == [doubled[number] for number in choice]
    assert listed(batch.targets["shorter"]) == [shorter[number] for number in choice]
    assert batch.indices.tolist() == choice
    assert batch.rows == sum(map(len, expected))


@QUICK
@given(ITEMS, st.integers(1, 4))
def test_chunks_of_a_batch_keep_features_and_targets_together(items: list[list[int]], steps: int) -> None:
    data = Dataset((Column.of(items), Column.of(items)), {"labels": Column.of(items)})
    batch = data.gather(torch.arange(len(items)))
    chunks = list(batch.chunks(steps))
    for chunk in chunks:
        first, second = chunk.features
        assert isinstance(first, Sequences)
        assert isinstance(second, Sequences)
        assert listed(first) == listed(second) == listed(chunk.targets["labels"])
    assert sum(chunk.rows for chunk in chunks) == batch.rows


@given(items=st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6), data=st.data())
def test_a_selection_gathers_what_the_whole_gathers_there(
    items: list[list[int]], data: st.DataObject
) -> None:
    chosen = torch.tensor(data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=5)))
    table = Column.of([[number, number] for number in range(10)])
    whole = Dataset(
        (Column.of(items), replace(Column.of(items), table=table)),
        {"label": Column.of(items)},
        [f"place {number}" for number in range(len(items))],
    )
    part = whole.select(chosen)
    found, expected = part.gather(torch.arange(len(chosen))), whole.gather(chosen)
    assert part.lengths.tolist() == [len(items[index]) for index in chosen.tolist()]
    assert torch.equal(found.targets["label"].to_flat(), expected.targets["label"].to_flat())
    for one, other in zip(found.features, expected.features, strict=True):
        if isinstance(one, Indexed):
            assert isinstance(other, Indexed)
            assert torch.equal(one.items.data, other.items.data)
            one, other = one.rows, other.rows
        assert isinstance(other, Sequences)
        assert torch.equal(one.to_flat(), other.to_flat())
    assert [part.name(place) for place in range(len(part))] == [
        whole.name(index) for index in chosen.tolist()
    ]


def test_columns_of_a_batch_share_one_layout_on_a_device_and_in_each_chunk() -> None:
    """Each layout makes index tensors of its own, and moves them to the device."""
    words, chars = Column.of([[0, 1, 0], [1]]), Column.of([[1], [2, 3]])
    columns = (words, Column(words.values, words.lengths, chars), Column(torch.zeros(4, 2), words.lengths))
    batch = Dataset(columns, {"a": words, "b": words}).gather(torch.tensor([1, 0]))
    moved = batch.to(torch.device("meta"))
    for each in (batch, moved, *batch.chunks(2), *moved.chunks(2)):
        layouts = {id(column.layout) for column in (*each.features, *each.targets.values())}
        assert len(layouts) == 1
    assert moved.features[0].layout is not batch.features[0].layout
    assert moved.features[0].layout.device.type == "meta"


def test_a_batch_without_targets_is_cut_like_any_other() -> None:
    batch = Dataset((Column.of([[1, 2, 3]]),)).gather(torch.tensor([0]))
    assert [chunk.rows for chunk in batch.chunks(2)] == [2, 1]


def test_targets_that_last_longer_than_the_features_cannot_be_cut() -> None:
    data = Dataset((Column.of([[1, 2]]),), {"labels": Column.of([[1, 2, 3, 4, 5]])})
    with pytest.raises(ValueError, match=r"longer"):
        list(data.gather(torch.tensor([0])).chunks(1))


def test_columns_that_do_not_fit_together_are_refused() -> None:
    two, one = Column.of([[1], [2]]), Column.of([[1, 2]])
    message = "the columns of a data set must hold the same examples, got [1, 2]"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Dataset((two,), {"labels": one})
    with pytest.raises(ValueError, match=r"^the features of a data set must have equal lengths$"):
        Dataset((one, Column.of([[1]])))


def test_examples_are_called_by_their_place() -> None:
    column = Column.of([[1], [2]])
    assert Dataset((column,), places=["a:1", "a:9"]).name(1) == "a:9"
    assert Dataset((column,)).name(1) == "example 1"


@QUICK
@given(LENGTHS, st.integers(1, 15), st.one_of(st.none(), st.integers(1, 4)))
def test_batches_hold_every_example_once_and_keep_the_budget(
    lengths: list[int], tokens: int, items: int | None
) -> None:
    budget, jitter = Budget(tokens, items), tokens % 3 / 10
    plan = plan_batches(torch.tensor(lengths), budget, seed=1, epoch=0, jitter=jitter)
    batches = [batch.tolist() for batch in plan]
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert sum(lengths[index] for index in batch) <= tokens or len(batch) == 1
        assert items is None or len(batch) <= items
        assert batch


@QUICK
@given(LENGTHS, st.integers(1, 15), st.integers(0, 2**63 - 1))
def test_without_jitter_every_epoch_has_the_same_number_of_batches(
    lengths: list[int], tokens: int, seed: int
) -> None:
    plans = [
        plan_batches(torch.tensor(lengths), Budget(tokens), seed=seed, epoch=epoch) for epoch in range(4)
    ]
    assert len({len(plan) for plan in plans}) == 1


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_the_plan_follows_from_seed_and_epoch_alone(jitter: float) -> None:
    lengths = torch.randint(1, 9, (60,), generator=torch.Generator().manual_seed(0))

    def plan(seed: int, epoch: int) -> list[list[int]]:
        torch.rand(3)
        batches = plan_batches(lengths, Budget(20), seed=seed, epoch=epoch, jitter=jitter)
        return [batch.tolist() for batch in batches]

    assert plan(1, 0) == plan(1, 0)
    assert len({str(plan(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4
    members = [{frozenset(batch) for batch in plan(1, epoch)} for epoch in (0, 1)]
    assert members[0] != members[1], "examples of equal length change their batch mates"


def test_batches_hold_similar_lengths() -> None:
    lengths = torch.randperm(100, generator=torch.Generator().manual_seed(0)) + 1
    for batch in plan_batches(lengths, Budget(10_000, 10), seed=1, epoch=0):
        chosen = lengths[batch]
        assert int(chosen.max() - chosen.min()) == 9
    for batch in plan_batches(lengths, Budget(10_000, 10), seed=1, epoch=0, jitter=0.1):
        chosen = lengths[batch]
        assert int(chosen.max() - chosen.min()) <= 9 + 2 * 10, "two may have moved by a tenth of 100 each"


def test_jitter_gives_an_example_other_batch_mates_in_the_next_epoch() -> None:
    """Lengths that no two examples share, as those of sounds: sorted exactly, they always meet the same."""
    lengths = torch.randperm(1000, generator=torch.Generator().manual_seed(0)) + 1

    def mates(jitter: float, epoch: int) -> set[tuple[int, int]]:
        batches = plan_batches(lengths, Budget(10_000, 10), seed=1, epoch=epoch, jitter=jitter)
        return {pair for batch in batches for pair in permutations(batch.tolist(), 2)}

    exact, moved = (
        len(mates(jitter, 0) & mates(jitter, 1)) / len(mates(jitter, 0)) for jitter in (0.0, 0.05)
    )
    assert exact == 1
    assert moved < 0.25


def test_jitter_moves_short_lengths_by_up_to_a_step_at_least() -> None:
    lengths = torch.tensor([1, 2, 3] * 100)
    plan = plan_batches(lengths, Budget(100, 10), seed=1, epoch=0, jitter=0.01)
    assert {int(lengths[batch].max() - lengths[batch].min()) for batch in plan} >= {0, 1}
    exact = plan_batches(lengths, Budget(100, 10), seed=1, epoch=0)
    assert {int(lengths[batch].max() - lengths[batch].min()) for batch in exact} == {0}


def test_a_budget_fills_each_batch_before_it_begins_the_next() -> None:
    lengths = [3, 3, 4, 5, 20, 1, 1]
    assert cut(Budget(10), lengths) == [[0, 1, 2], [3], [4], [5, 6]]
    assert cut(Budget(10, 2), lengths) == [[0, 1], [2, 3], [4], [5, 6]]
    assert cut(Budget(sys.maxsize), lengths) == [list(range(7))]
    assert cut(Budget(10), []) == []


@QUICK
@given(LENGTHS, st.integers(1, 15), st.one_of(st.none(), st.integers(1, 4)))
def test_a_batch_ends_only_where_the_next_example_has_no_room(
    lengths: list[int], tokens: int, items: int | None
) -> None:
    batches = cut(Budget(tokens, items), lengths)
    for batch, (after, *_) in pairwise(batches):
        assert sum(lengths[index] for index in (*batch, after)) > tokens or len(batch) == items


def cut(budget: Budget, lengths: list[int]) -> list[list[int]]:
    order = torch.arange(len(lengths))
    return [batch.tolist() for batch in budget.cut(order, torch.tensor(lengths, dtype=torch.int64))]
