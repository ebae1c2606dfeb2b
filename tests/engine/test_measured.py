"""Models made no larger than a file of weights: honest modules pass, whatever they do while they are made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seqlab.engine.measured import WeightsHeader, made_to_measure
from seqlab.errors import PackageError


class Masked(nn.Module):
    """A table of transitions, some of which are forbidden, one by one."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        mask = torch.ones(labels, labels, dtype=torch.bool)
        for row in range(labels):
            for column in range(labels):
                mask[row, column] = row != column
        self.register_buffer("mask", mask)


class Positions(nn.Module):
    """A table beside the weights, no part of the state."""

    def __init__(self, table: Callable[[], Tensor]) -> None:
        super().__init__()
        self.project = nn.Linear(4, 4)
        self.register_buffer("positions", table(), persistent=False)


def header(module: nn.Module) -> WeightsHeader:
    tensors = {name: tensor.to("meta") for name, tensor in module.state_dict().items()}
    return WeightsHeader(Path("package/model.safetensors"), tensors)


def test_a_module_may_fill_its_table_in_a_loop() -> None:
    made = made_to_measure(lambda: Masked(60), header(Masked(60)))
    assert isinstance(made, Masked)
    assert made.get_buffer("mask").sum() == 60 * 59


def test_what_was_exceeded_is_said() -> None:
    with pytest.raises(PackageError, match=r"takes more than 3,\d\d\d calls of torch to be made, but model"):
        made_to_measure(lambda: Masked(60), header(Masked(5)))


def test_a_table_kept_from_model_to_model_is_named_where_it_has_no_numbers() -> None:
    kept = functools.cache(lambda: torch.arange(8.0))
    with pytest.raises(PackageError, match=r"^package: positions has no numbers: its module keeps a tensor"):
        made_to_measure(lambda: Positions(kept), header(nn.ModuleDict({"project": nn.Linear(4, 4)})))


@pytest.mark.parametrize(
    "table", [lambda: torch.arange(8.0), functools.cache(lambda: torch.arange(8.0, device="cpu"))]
)
def test_a_table_made_as_the_message_says_has_numbers(table: Callable[[], Tensor]) -> None:
    made = made_to_measure(lambda: Positions(table), header(nn.ModuleDict({"project": nn.Linear(4, 4)})))
    assert made.get_buffer("positions").tolist() == list(range(8))
