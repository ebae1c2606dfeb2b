from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contract import Configs, registered
from torch import Tensor, nn

from seqlab.api import Component, Config, EncoderContext, Sequences, State
from seqlab.testing import check_encoder

SIMPLE: list[dict[str, Any]] = [
    {"hidden_size": 4},
    {
        "hidden_size": 3,
        "num_layers": 2,
        "dropout": 0.5,
        "input_dropout": 0.3,
        "output_dropout": 0.3,
        "locked_dropout": True,
    },
    {"hidden_size": 4, "num_layers": 3, "initial_state": "learned", "recurrent_init": "orthogonal"},
]
RELU: list[dict[str, Any]] = [{"hidden_size": 4, "nonlinearity": "relu", "recurrent_init": "identity"}]
BIASED: list[dict[str, Any]] = [
    {"hidden_size": 4, "forget_bias": None},
    {"hidden_size": 4, "forget_bias": 2.0},
]
CONVOLUTIONS: list[dict[str, Any]] = [
    {"channels": 3, "hidden_size": 4},
    {"factor": 2, "channels": 3, "hidden_size": 4, "activation": "gelu", "dropout": 0.4},
    {"channels": 3, "hidden_size": 4, "kernel_size": 7, "activation": "tanh"},
]
PYRAMIDS: list[dict[str, Any]] = [
    {"hidden_size": 3},
    {"hidden_size": 3, "cell": "gru", "factors": (3, 2), "dropout": 0.4, "locked_dropout": True},
    {"hidden_size": 3, "cell": "rnn", "factors": (2,), "bidirectional": False, "output_dropout": 0.3},
]
TABLE: Configs = {
    "rnn": SIMPLE + RELU,
    "birnn": SIMPLE + RELU,
    "lstm": SIMPLE + BIASED,
    "bilstm": SIMPLE + BIASED,
    "gru": SIMPLE,
    "bigru": SIMPLE,
    "conv_subsample": CONVOLUTIONS,
    "pyramid": PYRAMIDS,
    "bag": [{}, {"scale": "root", "dropout": 0.2}],
    "mean": [{}, {"dropout": 0.2}],
    "norm": [{}, {"kind": "batch"}],
    "linear": [{"hidden_size": 4}, {"hidden_size": 4, "activation": "silu", "dropout": 0.4}],
}
BUILT_IN = registered("encoder")


def test_every_built_in_encoder_stands_in_the_table() -> None:
    assert BUILT_IN.keys() == TABLE.keys()


@pytest.mark.parametrize(
    ("name", "config"),
    [
        pytest.param(name, each, id=f"{name}-{n}")
        for name, rows in TABLE.items()
        for n, each in enumerate(rows)
    ],
)
def test_built_in_encoders_keep_the_contract(name: str, config: dict[str, Any]) -> None:
    check_encoder(BUILT_IN[name], **config)


class Good(nn.Module):
    """A linear layer and a running sum from left to right, which keeps the contract."""

    carries_state = True

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = 4
        self.linear = nn.Linear(input_size, 4)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        start = torch.zeros(len(inputs), 4) if state is None else state[0]
        rows = self.linear(inputs.data)
        sums = [
            begin + each.cumsum(0)
            for begin, each in zip(start, inputs.with_data(rows).to_list(), strict=True)
        ]
        ends = [each[-1] if len(each) else begin for begin, each in zip(start, sums, strict=True)]
        return Sequences.from_list(sums), (torch.stack(ends),)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths


class SumsOverTheBatch(Good):
    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return states.with_data(states.data + states.data.mean()), final


class Pads(Good):
    """Reads what lies behind the end: a mean over the padded batch."""

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        mean = states.to_padded().mean(1)
        return states.with_data(states.data + states.expand(mean)), final


class DependsOnTheOrder(Good):
    """The first sequence of a batch of several gets something that the others do not."""

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        share = torch.zeros(len(inputs))
        # Looks at the length of the neighbour only, which a sequence alone does not have.
        share[0] = float(len(inputs) > 1 and inputs.lengths[0] < inputs.lengths[1])
        return states.with_data(states.data + states.expand(share)[:, None]), final


class LiesAboutItsSize(Good):
    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.output_size = 5


class LiesAboutItsLengths(Good):
    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths - 1


class LiesAboutOddLengths(Good):
    """Joins two rows into one and says nothing of the one that may be left."""

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return Sequences.from_list([each[::2] for each in states.to_list()]), final

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths // 2


class PromisesFractions(Good):
    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths / 1


class FailsWithoutRows(Good):
    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        inputs.data[0]
        return super().forward(inputs, state)


class Noisy(Good):
    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return states.with_data(nn.functional.dropout(states.data)), final


class DeadParameter(Good):
    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.dead = nn.Parameter(torch.ones(2))


class ZeroGradient(Good):
    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.useless = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return states.with_data(states.data + 0 * self.useless), final


class InfiniteGradient(Good):
    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.root = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return states.with_data(states.data + (self.root - self.root.detach()).abs().sqrt()), final


class CutsTheGradient(Good):
    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        return super().forward(inputs.with_data(inputs.data.detach()), state)


class HidesWeights(Good):
    """Keeps weights outside its state dict: a saved model would come back with others."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.hidden = torch.randn(4)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        return states.with_data(states.data + self.hidden), final


class HidesStatistics(Good):
    """Keeps what it has learned in training outside its state dict."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.mean = torch.zeros(4)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = super().forward(inputs, state)
        if self.training:
            self.mean = states.data.mean(0)
        return states.with_data(states.data - self.mean), final


class ForgetsItsState(Good):
    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        return super().forward(inputs, None)


def component(make: Callable[[int], nn.Module]) -> Component[Any]:
    def build(config: Config, context: EncoderContext) -> nn.Module:
        return make(context.input_size)

    return Component(name="mine", config=Config, build=build, summary="for the tests")


def test_an_encoder_that_keeps_the_contract_passes() -> None:
    check_encoder(component(Good))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (SumsOverTheBatch, "sequence 0 alone and in a batch: the states: differs by up to "),
        (Pads, "sequence 0 alone and in a batch: the states: differs by up to "),
        (DependsOnTheOrder, "with the batch in another order the states: differs by up to "),
        (LiesAboutItsSize, "rows have size 4, but output_size is 5"),
        (
            LiesAboutItsLengths,
            "of lengths 0 to 12 come [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], but output_lengths promises"
            " [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
        ),
        (
            LiesAboutOddLengths,
            "of lengths 0 to 12 come [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6], but output_lengths promises"
            " [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]",
        ),
        (PromisesFractions, "output_lengths promises torch.float32, not torch.int64"),
        (Noisy, "asked twice, the encoder's states: differs by up to "),
        (DeadParameter, "no gradient reaches dead"),
        (ZeroGradient, "the gradient of useless is zero everywhere"),
        (InfiniteGradient, "the gradient of root is not finite"),
        (CutsTheGradient, "no gradient reaches the input"),
        (HidesWeights, "after a round trip through the state dict the answer: differs by up to "),
        (HidesStatistics, "after a round trip through the state dict the answer: differs by up to "),
        (ForgetsItsState, "sequence 0 in chunks and as a whole: the states: differs by up to "),
    ],
)
def test_a_broken_encoder_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_encoder(component(broken))


def test_an_encoder_must_take_a_sequence_without_rows() -> None:
    with pytest.raises(IndexError, match="index 0 is out of bounds"):
        check_encoder(component(FailsWithoutRows))
