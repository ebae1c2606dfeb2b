"""The packed kernel against the reference, finite differences and itself."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_passes import Layer, by_kernel, by_reference
from recurrent_cases import CELLS, assert_same, bytes_kept
from torch import Tensor

from seqlab.engine.recurrent import bptt
from seqlab.engine.recurrent.bptt import PackedPass, run_packed
from seqlab.engine.recurrent.cells import Cell, LayerWeights, Parts
from seqlab.engine.recurrent.kernels import CELLS as CELLS_BY_KIND

EXACT = 1e-12
LAYERS = (*(Layer(cell=cell) for cell in CELLS), Layer(cell="lstm", hidden=3, projected=2))
EVERY = pytest.mark.parametrize(
    "layer",
    [
        replace(each, masked=masked, directions=directions)
        for each in LAYERS
        for masked in (False, True)
        for directions in (1, 2)
    ],
    ids=str,
)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    cell, hidden = draw(st.sampled_from(CELLS)), draw(st.integers(1, 5))
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    projects = cell == "lstm" and hidden > 1 and draw(st.booleans())
    return Layer(
        cell=cell,
        lengths=tuple(sorted(lengths, reverse=True)),
        hidden=hidden,
        projected=draw(st.integers(1, hidden - 1)) if projects else 0,
        directions=draw(st.sampled_from((1, 2))),
        masked=draw(st.booleans()),
        checkpoint_every=draw(st.sampled_from((None, 1, 2, 3, 100))),
        seed=draw(st.integers(0, 2**30)),
    )


@contextmanager
def blocks_of(rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bptt, "BLOCK_ROWS", rows)
        yield


def kept_bytes(layer: Layer) -> int:
    return bytes_kept(lambda: layer.run(layer.leaves()))


@settings(max_examples=120, deadline=None)
@given(layer=layers(), rows=st.sampled_from([1, 2, 3, 5, 8, 512]))
def test_everything_is_what_the_reference_computes(layer: Layer, rows: int) -> None:
    with blocks_of(rows):
        assert_same(by_kernel(layer), by_reference(layer), 1e-11)


def gradients_are_finite_differences(layer: Layer) -> bool:
    layer = replace(layer, lengths=(3, 2, 2, 1), hidden=3 if layer.projected else 2)
    leaves = layer.leaves()

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        output, final = layer.run(dict(zip(leaves, tensors, strict=True)))
        return output, *final

    with blocks_of(4):
        return bool(torch.autograd.gradcheck(run, tuple(leaves.values())))


@EVERY
def test_gradients_are_finite_differences(layer: Layer) -> None:
    assert gradients_are_finite_differences(layer)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_gradients_from_checkpoints_are_finite_differences(layer: Layer) -> None:
    assert gradients_are_finite_differences(replace(layer, directions=1, checkpoint_every=2))


@EVERY
@pytest.mark.parametrize("steps", [1, 3, 100])
def test_checkpoints_change_no_gradient_and_keep_less(layer: Layer, steps: int) -> None:
    layer = replace(layer, lengths=(20, 20, 11, 10, 1))
    checkpointed = replace(layer, checkpoint_every=steps)
    assert_same(by_kernel(checkpointed), by_kernel(layer), EXACT)
    less, all_of_it = kept_bytes(checkpointed), kept_bytes(layer)
    assert less < all_of_it or (less == all_of_it and layer.cell.startswith("rnn"))


@pytest.mark.parametrize("layer", [each for each in LAYERS if not each.cell.startswith("rnn")], ids=str)
def test_a_checkpoint_keeps_no_more_than_a_state(layer: Layer) -> None:
    layer = replace(layer, lengths=(100,) * 4)
    all_steps, often, once = (kept_bytes(replace(layer, checkpoint_every=every)) for every in (None, 10, 100))
    states = 10 * sum(part.numel() * part.element_size() for part in layer.state)
    assert once <= often <= once + states < all_steps / 2


@EVERY
@pytest.mark.parametrize("steps", [None, 3])
def test_a_second_backward_pass_gives_the_same(layer: Layer, steps: int | None) -> None:
    layer = replace(layer, checkpoint_every=steps)
    leaves, grads = layer.leaves(), [layer.d_output, *layer.d_final]
    given_grads = [each.clone() for each in grads]
    with blocks_of(4):
        output, final = layer.run(leaves)
        roots = [output, *final]
        first = torch.autograd.grad(roots, list(leaves.values()), grads, retain_graph=True)
        kept = [each.clone() for each in first]
        second = torch.autograd.grad(roots, list(leaves.values()), grads)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert all(torch.equal(*pair) for pair in zip(first, kept, strict=True)), "the first were written to"
    assert all(torch.equal(*pair) for pair in zip(grads, given_grads, strict=True))


@EVERY
def test_the_forward_pass_writes_to_nothing_it_was_given(layer: Layer) -> None:
    leaves = layer.leaves()
    before = {name: each.detach().clone() for name, each in leaves.items()}
    by_kernel(layer)
    layer.run(leaves)[0].sum().backward()
    assert all(torch.equal(each, before[name]) for name, each in leaves.items())


@EVERY
def test_each_gradient_can_be_asked_for_alone(layer: Layer) -> None:
    wanted = by_kernel(layer)
    for name in layer.leaves():
        leaves = {key: each if key == name else each.detach() for key, each in layer.leaves().items()}
        output, final = layer.run(leaves)
        (grad,) = torch.autograd.grad([output, *final], [leaves[name]], [layer.d_output, *layer.d_final])
        assert torch.equal(grad, wanted[f"gradient of {name}"]), name


@EVERY
def test_a_loss_of_one_result_alone_leaves_the_others_out(layer: Layer) -> None:
    leaves = layer.leaves()
    output, final = layer.run(leaves)
    results = [output, *final]
    for result, grad in zip(results, [layer.d_output, *layer.d_final], strict=True):
        alone = torch.autograd.grad(result, list(leaves.values()), grad, retain_graph=True)
        others = [grad if each is result else torch.zeros_like(each) for each in results]
        among = torch.autograd.grad(results, list(leaves.values()), others, retain_graph=True)
        assert all(torch.equal(*pair) for pair in zip(alone, among, strict=True))


@EVERY
def test_strides_of_what_is_given_do_not_matter(layer: Layer) -> None:
    expected = by_kernel(layer)
    strided = {
        name: each.detach().mT.contiguous().mT if each.dim() > 1 else each.detach().repeat_interleave(2)[::2]
        for name, each in layer.leaves().items()
    }
    assert any(not each.is_contiguous() for each in strided.values())
    leaves = {name: each.requires_grad_() for name, each in strided.items()}
    output, final = layer.run(leaves)
    grads = [each.mT.contiguous().mT for each in (layer.d_output, *layer.d_final)]
    found = torch.autograd.grad([output, *final], list(leaves.values()), grads)
    for name, grad in zip(leaves, found, strict=True):
        torch.testing.assert_close(grad, expected[f"gradient of {name}"], rtol=EXACT, atol=EXACT)


@EVERY
def test_an_expanded_state_and_an_expanded_gradient_are_taken(layer: Layer) -> None:
    leaves = layer.leaves()
    states = [name for name in leaves if name.startswith("state")]
    learned = {name: leaves[name][:, :1].detach().requires_grad_() for name in states}
    shared = {name: each.expand(-1, len(layer.lengths), -1) for name, each in learned.items()}
    output, _ = layer.run(leaves | shared)
    found = torch.autograd.grad(output.sum(), list(learned.values()))
    output, _ = layer.run(leaves | {name: each.clone() for name, each in shared.items()})
    wanted = torch.autograd.grad(output, list(learned.values()), torch.ones_like(output))
    for pair in zip(found, wanted, strict=True):
        torch.testing.assert_close(*pair, rtol=EXACT, atol=EXACT)


@EVERY
def test_second_derivatives_raise(layer: Layer) -> None:
    leaves = layer.leaves()
    output, _ = layer.run(leaves)
    with pytest.raises(RuntimeError, match=r"no second derivatives \(create_graph=True\).*'torch'"):
        torch.autograd.grad(output.sum(), leaves["inputs"], create_graph=True)


@pytest.mark.parametrize("name", ["inputs", "hidden 1", "state 0"])
def test_a_tensor_changed_before_the_backward_pass_is_noticed(name: str) -> None:
    layer = Layer(cell="lstm")
    leaves = layer.leaves()
    output, _ = layer.run(leaves)
    with torch.no_grad():
        leaves[name].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@settings(deadline=None)
@given(
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=20).map(lambda sizes: sorted(sizes, reverse=True)),
    rows=st.integers(1, 30),
    every=st.one_of(st.none(), st.integers(1, 25)),
)
def test_blocks_are_whole_steps_in_order(steps: list[int], rows: int, every: int | None) -> None:
    with blocks_of(rows):
        spans = list(PackedPass(cell=CELLS_BY_KIND["gru"], steps=steps, checkpoint_every=every).spans())
    assert [size for span in spans for size in span.sizes] == steps
    first, before = 0, 0
    for span in spans:
        assert span.rows == slice(first, first + sum(span.sizes))
        assert span.size_before == before
        first, before = span.rows.stop, span.sizes[-1]
    for span in spans[:-1]:
        assert len(span.sizes) == every if every else sum(span.sizes[:-1]) < rows <= sum(span.sizes)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_the_second_direction_reads_each_sequence_reversed(lengths: list[int]) -> None:
    layer = Layer(cell="gru", lengths=tuple(sorted(lengths, reverse=True)))
    how, rows = layer.how(), layer.inputs
    aligned = how.aligned(rows, slice(0, len(rows)))
    for number in range(len(lengths)):
        mine = layer.layout.items == number
        assert torch.equal(aligned[0][mine], rows[mine])
        assert torch.equal(aligned[1][mine], rows[mine].flip(0))
    part = slice(len(rows) // 3, len(rows))
    assert all(
        torch.equal(each, whole[part]) for each, whole in zip(how.aligned(rows, part), aligned, strict=True)
    )
    assert torch.equal(how.natural(torch.stack(aligned)), torch.cat((rows, rows), dim=1))
    assert torch.equal(how.summed(torch.stack(aligned)), rows + rows)


def test_a_table_of_distinct_rows_has_no_gradient() -> None:
    weights = [LayerWeights(torch.ones(2, 3), torch.ones(2, 2), torch.ones(2))]
    how = PackedPass(cell=CELLS_BY_KIND["rnn_tanh"], steps=(2, 1), index=torch.tensor([0, 1, 1]))
    table = torch.randn(5, 3, requires_grad=True)
    output, _ = run_packed(how, table, weights, (torch.zeros(1, 2, 2),))
    assert output is not None
    with pytest.raises(RuntimeError, match="a table of distinct rows is for prediction: it has no gradient"):
        output.sum().backward()


class Watched:
    """A cell that notes of how many blocks, at most, anything was alive when another block began."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.blocks: list[weakref.ref[Tensor]] = []
        self.most_alive = 0

    def begin(self, gates: Tensor, hidden_bias: Tensor | None) -> tuple[Parts, Parts]:
        self.most_alive = max(self.most_alive, sum(block() is not None for block in self.blocks))
        kept, views = self.cell.begin(gates, hidden_bias)
        self.blocks.append(weakref.ref(kept[0]))
        return kept, views

    def __getattr__(self, name: str) -> object:
        return getattr(self.cell, name)


@pytest.mark.parametrize("layer", [each for each in LAYERS if not each.cell.startswith("rnn")], ids=str)
@pytest.mark.parametrize("quiet", [torch.no_grad, torch.inference_mode], ids=lambda each: each.__name__)
def test_without_gradients_no_block_outlives_the_next_and_the_answer_is_the_same(
    layer: Layer, quiet: type[AbstractContextManager[None]]
) -> None:
    layer = replace(layer, lengths=(9, 9, 5, 2))
    leaves = layer.leaves()
    state = tuple(leaves[f"state {number}"] for number in range(len(layer.state)))
    found = []
    for mode in (torch.enable_grad, quiet):
        cell = Watched(CELLS_BY_KIND[layer.cell])
        how = replace(layer.how(), cell=cell)
        with blocks_of(4), mode():
            output, final = run_packed(how, leaves["inputs"], layer.weights(leaves), state)
        assert output is not None
        found.append((cell, [output, *final]))
    (keeping, expected), (forgetting, answers) = found
    assert keeping.most_alive == len(keeping.blocks) - 1 > 4
    assert forgetting.most_alive <= 1
    assert all(torch.equal(*pair) for pair in zip(answers, expected, strict=True))
    assert not any(each.requires_grad for each in answers)
