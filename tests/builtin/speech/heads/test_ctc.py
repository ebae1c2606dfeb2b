from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import groupby, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqlab.api import Sequences
from seqlab.builtin.speech.heads.ctc import CTC, CTCHead
from seqlab.builtin.speech.heads.ctc_decoding import BLANK, UnitsRead
from seqlab.builtin.speech.heads.units import Characters
from seqlab.engine.device import threads
from seqlab.engine.seeding import seeded

INPUT_SIZE = 5
UNITS = 2
TEXTS = ["abba", "", "b", "aab"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with threads(1):
        yield


def module(units: int = UNITS, *, loss_weight: float = 1.0) -> CTC:
    with seeded(1):
        return CTC(INPUT_SIZE, units, loss_weight=loss_weight).double()


def states(lengths: list[int], seed: int = 2) -> Sequences:
    generator = torch.Generator().manual_seed(seed)
    return Sequences.from_flat(
        torch.randn(sum(lengths), INPUT_SIZE, generator=generator, dtype=torch.float64), lengths
    )


def targets(*each: list[int]) -> Sequences:
    return Sequences.from_flat(
        torch.tensor([number for ids in each for number in ids], dtype=torch.int64),
        [len(ids) for ids in each],
    )


@cache
def paths(length: int) -> dict[tuple[int, ...], Tensor]:
    """All paths of this length by what they merge to, each (paths, length)."""
    merged: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for path in product(range(1 + UNITS), repeat=length):
        merged.setdefault(tuple(each for each, _ in groupby(path) if each != BLANK), []).append(path)
    return {
        ids: torch.tensor(found, dtype=torch.int64).reshape(len(found), length)
        for ids, found in merged.items()
    }


def likelihood(log_probs: Tensor, ids: list[int]) -> float:
    """The definition: the sum over all paths that merge to the target (Graves et al. 2006, equation 3)."""
    length = len(log_probs)
    found = paths(length).get(tuple(ids))
    return 0.0 if found is None else float(log_probs[torch.arange(length), found].sum(dim=1).exp().sum())


def head() -> CTCHead:
    made = CTCHead("text", Characters())
    made.fit(["ab"])
    return made


every_target = st.lists(st.integers(1, UNITS), max_size=4)


@given(every_target, st.integers(0, 6), st.integers(0, 100))
@settings(deadline=None)
def test_the_loss_is_that_of_the_sum_over_all_paths(ids: list[int], length: int, seed: int) -> None:
    made = module()
    each = states([length], seed)
    exact = likelihood(made.log_probs(each).data.detach(), ids)
    loss = float(made.loss(each, targets(ids)).detach())
    if exact:
        assert loss == pytest.approx(-math.log(exact), rel=1e-9, abs=1e-9)
    else:
        assert loss == 0


@given(every_target)
def test_the_states_needed_are_the_least_number_with_a_path(ids: list[int]) -> None:
    made = head()
    (needed,) = made.states_needed(["".join(" ab"[number] for number in ids)])
    uniform = torch.full((needed, 1 + UNITS), 1 / (1 + UNITS), dtype=torch.float64).log()
    assert likelihood(uniform, ids) > 0
    assert not needed or likelihood(uniform[1:], ids) == 0


def test_the_states_needed_are_units_and_repeats() -> None:
    assert head().states_needed(["", "a", "ab", "aa", "aabb", "a☃☃"]) == [0, 1, 2, 3, 6, 4]


def test_classes_count_from_one_and_texts_come_back() -> None:
    made = head()
    column = made.encode(["ba", "", "a?"])
    assert column.values.tolist() == [2, 1, 1, -1]
    assert column.lengths.tolist() == [2, 0, 2]
    ids, ones, places = targets([2, 1], []), targets([1, 1], []), targets([0, 1], [])
    read = UnitsRead(ids, ones, places, torch.tensor([2, 0]))
    assert [answer.value for answer in made.answers(read)] == ["ba", ""]


def loss_and_gradients(made: CTC, each: Sequences, target: Sequences) -> tuple[Tensor, list[Tensor]]:
    inputs = each.data.detach().requires_grad_()
    made.zero_grad()
    loss = made.loss(each.with_data(inputs), target)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [parameter.grad for parameter in made.parameters()]
    return loss.detach(), [grad for grad in (inputs.grad, *parameters) if grad is not None]


LENGTHS = [9, 3, 1, 7]
TARGETS: tuple[list[int], ...] = ([1, 2, 2, 1], [], [2], [1, 1, 2])


def test_a_loss_is_the_sum_of_the_losses_alone_and_in_any_order() -> None:
    made, each, target = module(), states(LENGTHS), targets(*TARGETS)
    whole, gradients = loss_and_gradients(made, each, target)
    alone = [
        float(made.loss(Sequences.from_list([rows]), targets(ids)).detach())
        for rows, ids in zip(each.to_list(), TARGETS, strict=True)
    ]
    assert float(whole) == pytest.approx(sum(alone), abs=1e-6)
    order = torch.tensor([2, 0, 3, 1])
    swapped, others = loss_and_gradients(made, each.select(order), target.select(order))
    assert float(swapped) == pytest.approx(float(whole), abs=1e-6)
    for found, expected in zip(others[1:], gradients[1:], strict=True):
        assert torch.allclose(found, expected, atol=1e-6)


def test_gradients_do_not_depend_on_batch_mates() -> None:
    made, each, target = module(), states(LENGTHS), targets(*TARGETS)
    _, gradients = loss_and_gradients(made, each, target)
    for number, rows in enumerate(each.with_data(gradients[0]).to_list()):
        alone = Sequences.from_list([each.to_list()[number]])
        _, single = loss_and_gradients(made, alone, targets(TARGETS[number]))
        assert torch.allclose(single[0], rows, atol=1e-6)


def test_gradients_are_those_of_finite_differences() -> None:
    made, target = module(), targets(*TARGETS)
    each = states(LENGTHS)

    def loss(rows: Tensor) -> Tensor:
        return made.loss(each.with_data(rows), target)

    assert torch.autograd.gradcheck(loss, (each.data.requires_grad_(),))


STRANGE = {
    "an unknown unit": (5, [1, -1, 2]),
    "nothing but unknown units": (5, [-1, -1]),
    "more units than states": (2, [1, 2, 1]),
    "no state for a blank between equal units": (3, [1, 1, 2]),
    "no state at all": (0, [1]),
}


@pytest.mark.parametrize(("length", "ids"), STRANGE.values(), ids=STRANGE)
def test_what_cannot_be_spelt_costs_nothing_and_leaves_the_others_alone(length: int, ids: list[int]) -> None:
    made = module()
    each = states([6, length, 4])
    known = each.select(torch.tensor([0, 2]))
    loss, gradients = loss_and_gradients(made, each, targets([1, 2, 2], ids, [2]))
    expected, others = loss_and_gradients(made, known, targets([1, 2, 2], [2]))
    assert float(loss) == pytest.approx(float(expected))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    assert float(each.with_data(gradients[0]).to_list()[1].abs().sum()) == 0
    for found, wanted in zip(gradients[1:], others[1:], strict=True):
        assert torch.allclose(found, wanted)
    assert int(made.count(targets([1, 2, 2], ids, [2]), each.lengths)) == 3 + 1


@pytest.mark.parametrize(("length", "ids"), STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("units", [1, UNITS])
def test_a_batch_of_nothing_else_has_the_loss_zero_and_no_gradient(
    units: int, length: int, ids: list[int]
) -> None:
    ids = [min(number, units) for number in ids]
    loss, gradients = loss_and_gradients(module(units), states([length]), targets(ids))
    assert float(loss) == 0
    assert all(float(gradient.abs().sum()) == 0 for gradient in gradients)


def test_the_count_is_the_number_of_units_in_targets_without_an_unknown_one() -> None:
    made = module()
    enough = torch.tensor([9, 9, 9, 9])
    assert int(made.count(targets([1, 2, 2], [], [2, -1, 1], [1]), enough)) == 4
    assert int(made.count(targets([-1]), enough[:1])) == 0
    assert int(made.count(targets([], []), enough[:2])) == 0


def test_the_count_is_made_without_a_look_at_the_targets() -> None:
    """The meta device has shapes only: what would make a GPU wait for its values fails there."""
    made = module()
    target = targets([1, 2, 2], [2]).to(torch.device("meta"))
    assert made.count(target, torch.tensor([4, 4])).shape == ()


def test_an_empty_text_costs_the_blanks() -> None:
    made, each = module(), states([4])
    expected = -made.log_probs(each).data[:, BLANK].sum()
    assert torch.allclose(made.loss(each, targets([])), expected)


def test_the_loss_weight_scales_the_loss_and_not_the_count() -> None:
    each, target = states(LENGTHS), targets(*TARGETS)
    assert torch.allclose(module(loss_weight=0.25).loss(each, target), module().loss(each, target) * 0.25)
    counts = [module(loss_weight=weight).count(target, each.lengths) for weight in (0.25, 1.0)]
    assert torch.equal(*counts)


def test_an_unlikely_text_has_a_large_and_finite_loss() -> None:
    made = module()
    each = states([50]).with_data(states([50]).data * 1e4)
    loss, gradients = loss_and_gradients(made, each, targets([1, 2, 1, 1]))
    assert 1e3 < float(loss) < math.inf
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_a_loss_in_bf16_is_summed_in_fp32() -> None:
    made, each, target = module().float(), states(LENGTHS), targets(*TARGETS)
    each = each.with_data(each.data.float())
    exact = float(made.loss(each, target).detach())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = made.loss(each, target)
        probabilities = made.answer(each).probabilities.data
    assert loss.dtype == probabilities.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(exact, rel=0.02)


def test_dropout_changes_the_states_in_training_only() -> None:
    with seeded(1):
        made = CTC(INPUT_SIZE, UNITS, dropout=0.5).double()
    each, target = states(LENGTHS), targets(*TARGETS)
    made.eval()
    assert torch.equal(made.loss(each, target), made.loss(each, target))
    made.train()
    assert not torch.equal(made.loss(each, target), made.loss(each, target))


def test_a_class_that_there_is_not_is_refused() -> None:
    """torch would read outside the row, without an error."""
    with pytest.raises(ValueError, match=r"^a target holds class 3, but there are classes 0 to 2$"):
        module().loss(states([4]), targets([1, 3]))


def test_targets_and_states_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^there are 2 targets for 1 sequences of states$"):
        module().loss(states([4]), targets([1], [2]))


def test_log_probabilities_are_normalised_and_alike_in_any_batch() -> None:
    made, each = module().float(), states(LENGTHS)
    each = each.with_data(each.data.float())
    log_probs = made.log_probs(each)
    assert log_probs.data.shape == (sum(LENGTHS), 1 + UNITS)
    assert torch.allclose(log_probs.data.exp().sum(-1), torch.ones(sum(LENGTHS)))
    for number, rows in enumerate(each.to_list()):
        alone = made.log_probs(Sequences.from_list([rows])).data
        assert torch.allclose(alone, log_probs.to_list()[number], atol=1e-6)


def test_another_decoder_may_answer() -> None:
    class LastFrame:
        def decode(self, log_probs: Sequences) -> tuple[Sequences, Sequences, Sequences]:
            lasts = [rows[-1:].max(-1) for rows in log_probs.to_list()]
            return (
                Sequences.from_list([last.indices for last in lasts]),
                Sequences.from_list([last.values.exp() for last in lasts]),
                Sequences.from_list([length[None] - 1 for length in log_probs.lengths]),
            )

    made = CTC(INPUT_SIZE, UNITS, decoder=LastFrame()).double()
    read = made.answer(states([4, 2]))
    assert read.ids.lengths.tolist() == read.probabilities.lengths.tolist() == [1, 1]
    assert read.states.data.tolist() == [3, 1]
