"""State dicts of stacks: torch's names, both ways."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from recurrent_cases import CELLS, sequences, stack, torchs_own
from torch import nn

from seqlab.engine import CellKind, RecurrentStack

EVERY = pytest.mark.parametrize(
    ("cell", "options"),
    [(cell, {"bidirectional": both}) for cell in CELLS for both in (False, True)]
    + [("lstm", {"bidirectional": both, "proj_size": 2}) for both in (False, True)],
    ids=str,
)


class Outer(nn.Module):
    """A model with a stack deep inside and weights of other names around it."""

    def __init__(self, inner: RecurrentStack) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Sequential(inner)])


def answer(made: RecurrentStack) -> torch.Tensor:
    output, _ = made(sequences())
    return output.data.detach()


def shifted(made: RecurrentStack) -> RecurrentStack:
    """A stack of the same shape with other weights."""
    other = copy.deepcopy(made)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(-1)
    return other


@EVERY
def test_a_state_dict_goes_to_torch_and_comes_from_it(cell: CellKind, options: dict[str, Any]) -> None:
    made = stack(cell, num_layers=3, **options)
    rnn = torchs_own(made)
    assert set(made.state_dict()) == set(rnn.state_dict())
    assert all(torch.equal(value, rnn.state_dict()[name]) for name, value in made.state_dict().items())
    (single,) = sequences().select(torch.tensor([3])).to_list()
    torch.testing.assert_close(rnn(single)[0].detach(), sequences_answer(made, 3), rtol=1e-12, atol=1e-12)
    other = shifted(made)
    assert not torch.allclose(answer(other), answer(made))
    other.load_state_dict(rnn.state_dict(), strict=True)
    assert torch.equal(answer(other), answer(made))
    rnn.load_state_dict(shifted(made).state_dict(), strict=True)
    assert all(torch.equal(-value, rnn.state_dict()[name]) for name, value in made.state_dict().items())


def sequences_answer(made: RecurrentStack, number: int) -> torch.Tensor:
    return made(sequences())[0].to_list()[number].detach()


def test_a_learned_initial_state_comes_on_top() -> None:
    made = stack("lstm", num_layers=2, initial_state="learned")
    extra = set(made.state_dict()) - set(torchs_own(made).state_dict())
    assert extra == {"initial.0", "initial.1"}
    other = shifted(made)
    other.load_state_dict(made.state_dict(), strict=True)
    assert torch.equal(answer(other), answer(made))


@EVERY
def test_names_of_packages_of_format_1_are_accepted(cell: CellKind, options: dict[str, Any]) -> None:
    made = stack(cell, num_layers=2, **options)
    old = {
        f"layers.{number}.{name}": value
        for number, layer in enumerate(made.layers)
        for name, value in layer.state_dict().items()
    }
    other = shifted(made)
    other.load_state_dict(old, strict=True)
    assert torch.equal(answer(other), answer(made))


def test_a_stack_inside_a_model_renames_its_own_weights_only() -> None:
    inner = stack("gru", num_layers=2, bidirectional=True, initial_state="learned")
    outer = Outer(inner)
    weights = outer.state_dict()
    own = {name.removeprefix("layers.1.0.") for name in weights if name.startswith("layers.1.0.")}
    assert own == set(inner.state_dict())
    assert set(weights) - {f"layers.1.0.{name}" for name in own} == {"layers.0.weight", "layers.0.bias"}
    other = Outer(shifted(inner))
    other.load_state_dict(weights, strict=True)
    assert torch.equal(answer(other.layers[1][0]), answer(inner))


def test_loading_leaves_the_given_dict_alone_and_misses_nothing() -> None:
    made = stack("gru", num_layers=2)
    weights = dict(made.state_dict())
    names = list(weights)
    made.load_state_dict(weights)
    assert list(weights) == names
    del weights["weight_hh_l1"]
    with pytest.raises(RuntimeError, match="Missing key"):
        made.load_state_dict(weights)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        made.load_state_dict(stack("gru", num_layers=3).state_dict())


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies_answer_alike_and_live_on_their_own(twin: Any) -> None:
    made = stack("lstm", num_layers=2, bidirectional=True, initial_state="learned", proj_size=2)
    before, copied = answer(made), twin(made)
    assert torch.equal(answer(copied), before)
    assert list(copied.state_dict()) == list(made.state_dict())
    copied.load_state_dict(shifted(made).state_dict(), strict=True)
    assert torch.equal(answer(made), before)
    assert not torch.allclose(answer(copied), before)
