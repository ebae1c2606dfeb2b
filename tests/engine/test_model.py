from __future__ import annotations

import pytest
import torch
from torch import nn
from toy_models import dataset, model

from seqlab.engine import Column, Indexed, RecurrentSpec, RecurrentStack, SequenceModel, Sequences, State
from seqlab.engine.state import detached


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, column: Sequences) -> Sequences:
        return column.with_data(column.data * self.factor)


class Echo(nn.Module):
    """Its states are its inputs; its state counts the calls."""

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        calls = torch.zeros(len(inputs), 1) if state is None else state[0]
        return inputs, (calls + 1,)


def test_features_stand_side_by_side_in_the_recipes_order() -> None:
    column = Sequences.from_list([torch.ones(2, 1), torch.full((3, 1), 2.0)])
    states, state = SequenceModel([Scaled(1), Scaled(10)], Echo(), {}).encode([column, column])
    assert [each.tolist() for each in states.to_list()] == [[[1, 10]] * 2, [[2, 20]] * 3]
    assert state is not None
    assert state[0].tolist() == [[1], [1]]


class Vectors(nn.Module):
    """A pointwise featurizer that counts the rows it is given."""

    pointwise = True

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)
        self.rows = 0

    def forward(self, column: Sequences | Indexed) -> Sequences:
        rows = column.rows if isinstance(column, Indexed) else column
        self.rows += len(rows.data)
        return rows.with_data(self.table(rows.data))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn_relu", "lstm", "gru"])
def test_in_prediction_equal_rows_are_featurized_once_with_the_same_answer(
    cell: str, *, bidirectional: bool
) -> None:
    featurizers = [Vectors().double(), Vectors().double()]
    spec = RecurrentSpec(cell=cell, input_size=8, hidden_size=5, bidirectional=bidirectional)  # type: ignore[arg-type]
    subject = SequenceModel(featurizers, RecurrentStack(spec).double(), {}).eval()
    words = Column.of([[0, 1, 2], [2, 1], [], [0, 1, 2, 1, 2]]).gather(torch.arange(4))
    chars = Column(
        torch.tensor([0, 1, 0, 2, 1, 0, 1, 0, 1, 2]), torch.tensor([3, 2, 0, 5]), Column.of([[1], [], [2, 3]])
    ).gather(torch.arange(4))
    expected, state = subject.encode([words, chars])
    assert [featurizer.rows for featurizer in featurizers] == [10, 10]
    with torch.no_grad():
        found, final = subject.encode([words, chars])
    distinct = len({(0, 0), (1, 1), (2, 0), (2, 2)})
    assert [featurizer.rows - 10 for featurizer in featurizers] == [distinct, distinct]
    assert torch.allclose(found.data, expected.data, atol=1e-12)
    assert state is not None
    assert final is not None
    assert all(torch.allclose(*pair, atol=1e-12) for pair in zip(final, state, strict=True))


def test_what_is_not_pointwise_sees_every_row() -> None:
    first, second = Vectors(), Vectors()
    second.pointwise = False
    words = Column.of([[0, 0, 0]]).gather(torch.arange(1))
    with torch.inference_mode():
        SequenceModel([first, second], Echo(), {}).eval().encode([words, words])
    assert (first.rows, second.rows) == (3, 3)


def test_each_head_sees_its_own_target() -> None:
    subject = model(heads=("a", "b"))
    batch = dataset(heads=("a", "b")).gather(torch.arange(4))
    states, _ = subject.encode(batch.features)
    sums, _ = subject.losses(batch)
    assert list(sums) == list(subject.counts(batch)) == ["a", "b"]
    for name, head in subject.named_heads():
        assert torch.equal(sums[name], head.loss(states, batch.targets[name]))
        assert torch.equal(subject.counts(batch)[name], head.count(batch.targets[name], states.lengths))
    assert sums["a"] != sums["b"]


def test_the_state_goes_through_to_the_encoder() -> None:
    subject = model()
    batch = dataset().gather(torch.arange(3))
    _, first = subject.losses(batch)
    assert subject.losses(batch, first)[0]["tags"] != subject.losses(batch)[0]["tags"]


def test_a_detached_state_has_the_same_values_and_no_graph() -> None:
    leaf = torch.ones(2, requires_grad=True)
    parts = detached((leaf * 2, leaf * 3))
    assert parts is not None
    assert [part.tolist() for part in parts] == [[2, 2], [3, 3]]
    assert not any(part.requires_grad for part in parts)
    assert detached(None) is None
