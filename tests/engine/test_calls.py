"""The engine alone: errors stay what they are, with a note; wrong results are refused at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_models import ToyEncoder, ToyHead, answered, dataset, model, settings, trainer

from seqlab.engine import EncoderChain, SequenceModel, Sequences
from seqlab.engine.batching import Budget
from seqlab.engine.calls import lengths_of
from seqlab.errors import ContractError

Change = Callable[[Sequences], Any]


class Changing(nn.Module):
    """An encoder that returns what `change` makes of its inputs."""

    output_size = 3
    carries_state = True

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs: Sequences, state: Any = None) -> Any:
        return self.change(inputs.with_data(inputs.data * self.weight))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths


def fine(states: Sequences) -> Any:
    return states, ()


def boom(_states: Sequences) -> Any:
    raise ZeroDivisionError("boom")


def with_encoder(*changes: Change) -> SequenceModel:
    encoders = [Changing(change) for change in changes]
    encoder = encoders[0] if len(encoders) == 1 else EncoderChain(encoders)
    return SequenceModel([nn.Identity()], encoder, {"tags": ToyHead(3, [1.0] * 4)}).double()


@pytest.mark.parametrize(
    ("changes", "path"), [([boom], "encoder"), ([fine, boom, fine], "encoder.encoders.1")]
)
def test_an_error_keeps_its_type_and_gets_a_note(changes: list[Change], path: str) -> None:
    data = dataset()
    with pytest.raises(ZeroDivisionError, match="boom") as caught:
        trainer(with_encoder(*changes), data, settings(batch_items=2, batch_tokens=100)).fit()
    (note,) = caught.value.__notes__
    first, _, examples = note.partition("; at ")
    assert first == f"{path}: forward"
    assert len(examples.split(", ")) == 2
    assert set(examples.split(", ")) <= set(data.places)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda states: states, "returned Sequences where a pair of Sequences and a state is expected"),
        (lambda states: (states.data, ()), "returned states that are a tensor of torch.float64 and shape "),
        (lambda states: (states.with_data(states.data[:, :2]), ()), r"returned states of shape \(\d+, 2\)"),
        (lambda states: (states.with_data(states.data.long()), ()), "returned states of torch.int64"),
        (lambda states: (states.select(torch.tensor([0])), ()), "returned states of sequences of lengths"),
        (
            lambda states: (states, [states.data]),
            "returned the state list of 1 where a tuple of tensors with ",
        ),
        (lambda states: (states, (states.data[:1],)), "returned the state a tuple of 1"),
    ],
)
def test_wrong_states_are_refused_in_training_and_in_answers(change: Change, reason: str) -> None:
    subject = with_encoder(change)
    with pytest.raises(ContractError, match=reason):
        trainer(subject, dataset(), settings()).fit()
    with pytest.raises(ContractError, match=reason):
        answered(subject.eval(), dataset(), Budget(100))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([1, 2], "returned list of 2 where a tensor of torch.int64 and shape (2) is expected"),
        (torch.tensor([1.0, 2.0]), "returned a tensor of torch.float32 and shape (2) where"),
        (torch.tensor([1]), "returned a tensor of torch.int64 and shape (1) where"),
        (torch.tensor([1, -2]), "returned -2 for a sequence"),
    ],
)
def test_lengths_that_are_none_are_refused(found: Any, reason: str) -> None:
    class Wrong:
        def output_lengths(self, _lengths: Tensor) -> Any:
            return found

    with pytest.raises(ContractError) as caught:
        lengths_of(Wrong(), torch.tensor([3, 4]))
    assert str(caught.value).startswith(reason)


def test_a_loss_that_nothing_can_be_learned_from_is_refused() -> None:
    subject = model()
    head: Any = subject.heads[0]
    head.loss = lambda states, target: torch.zeros(())
    with pytest.raises(ContractError, match="returned a number without a gradient"):
        trainer(subject, dataset(), settings()).fit()


def detached(states: Sequences) -> Any:
    return states.with_data(states.data.detach()), ()


def switching_off(states: Sequences) -> Any:
    torch.set_grad_enabled(False)
    return states, ()


class Silent(ToyHead):
    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return super().loss(states, target).detach()


@pytest.mark.parametrize(
    ("changes", "heads", "frozen", "where"),
    [
        ([detached], [ToyHead, Silent], ["heads.0"], "heads.1: loss"),
        ([fine], [Silent, Silent], ["heads"], "heads.0: loss"),
        ([detached], [ToyHead, ToyHead], ["heads"], "encoder: forward"),
        ([fine, detached], [ToyHead], ["heads"], "encoder.encoders.1: forward"),
        ([switching_off], [ToyHead], [], "model: forward"),
        ([fine], [ToyHead], ["heads", "encoder"], "model: loss"),
    ],
)
def test_what_detached_the_loss_is_named(
    changes: list[Change], heads: list[type[ToyHead]], frozen: list[str], where: str
) -> None:
    encoder = with_encoder(*changes).encoder
    names = [f"tags{number}" for number in range(len(heads))]
    made = {name: head(3, [1.0] * 4) for name, head in zip(names, heads, strict=True)}
    subject = SequenceModel([nn.Identity()], encoder, made).double().train()
    for name, parameter in subject.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
    batch = dataset(heads=names).gather(torch.tensor([0, 1]))
    with torch.enable_grad(), pytest.raises(ContractError, match="gradient") as caught:
        subject.losses(batch)
    assert [note.partition(";")[0] for note in caught.value.__notes__] == [where]


def test_parts_of_a_model_with_no_contract_of_their_own_pass() -> None:
    # An encoder of the engine's user needs neither output_lengths nor a head that counts in floats.
    assert not hasattr(ToyEncoder("lstm"), "output_lengths")
    trainer(model(), dataset(), settings()).fit()
