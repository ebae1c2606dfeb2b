from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seqlab.engine import Sequences
from seqlab.engine.norm import SequenceBatchNorm, SequenceLayerNorm

SIZE = 4


def sequences(*lengths: int, seed: int = 0) -> Sequences:
    generator = torch.Generator().manual_seed(seed)
    return Sequences.from_flat(torch.randn(sum(lengths), SIZE, generator=generator) * 3 + 2, list(lengths))


def scaled(norm: SequenceBatchNorm | SequenceLayerNorm) -> None:
    """Give the scale and the shift other values than 1 and 0."""
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, 2.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 3.0]))


def test_layer_norm_is_torchs_on_every_row() -> None:
    norm, torchs = SequenceLayerNorm(SIZE), nn.LayerNorm(SIZE)
    scaled(norm)
    torchs.load_state_dict(norm.state_dict())
    batch = sequences(5, 2, 1)
    assert torch.equal(norm(batch).data, torchs(batch.data))


def test_batch_norm_is_torchs_on_the_real_rows() -> None:
    norm, torchs = SequenceBatchNorm(SIZE), nn.BatchNorm1d(SIZE)
    scaled(norm)
    torchs.load_state_dict(norm.state_dict(), strict=False)
    for seed in range(3):
        batch = sequences(5, 2, 1, seed=seed)
        assert torch.allclose(norm(batch).data, torchs(batch.data), atol=1e-6)
    for name, buffer in norm.named_buffers():
        assert torch.allclose(buffer, torchs.get_buffer(name), atol=1e-6)
    batch = sequences(3, 4)
    assert torch.allclose(norm.eval()(batch).data, torchs.eval()(batch.data), atol=1e-6)


def test_batch_norm_leaves_real_rows_with_mean_0_and_variance_1_whatever_their_lengths() -> None:
    rows = SequenceBatchNorm(SIZE)(sequences(30, 1, 4)).data
    assert torch.allclose(rows.mean(0), torch.zeros(SIZE), atol=1e-5)
    assert torch.allclose(rows.var(0, correction=0), torch.ones(SIZE), atol=1e-3)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("lengths", [[1], [0], [0, 1]])
def test_batch_norm_of_less_than_two_rows_uses_and_keeps_the_running_statistics(
    lengths: list[int], *, train: bool
) -> None:
    norm = SequenceBatchNorm(SIZE)
    scaled(norm)
    norm(sequences(5, 2))
    before = norm.running_mean.clone(), norm.running_var.clone()
    batch = sequences(*lengths)
    found = norm.train(train)(batch).data
    expected = (batch.data - before[0]) / (before[1] + 1e-5).sqrt() * norm.weight + norm.bias
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(norm.running_mean, before[0])
    assert torch.equal(norm.running_var, before[1])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_statistics_of_rows_that_are_not_finite_are_not_kept(bad: float) -> None:
    norm = SequenceBatchNorm(SIZE)
    norm(sequences(5, 2))
    kept = norm.running_mean[0].clone(), norm.running_var[0].clone()
    data = sequences(5, 2, seed=1).data.clone()
    data[3, 0] = bad
    norm(Sequences.from_flat(data, [5, 2]))
    assert (norm.running_mean[0], norm.running_var[0]) == kept
    assert torch.isfinite(norm.running_mean).all()
    assert torch.isfinite(norm.running_var).all()


def test_evaluation_leaves_the_running_statistics_alone() -> None:
    norm = SequenceBatchNorm(SIZE).eval()
    norm(sequences(5, 2))
    assert torch.equal(norm.running_mean, torch.zeros(SIZE))
    assert torch.equal(norm.running_var, torch.ones(SIZE))


@pytest.mark.parametrize("kind", [SequenceLayerNorm, SequenceBatchNorm])
@pytest.mark.parametrize("train", [False, True])
def test_gradients_are_those_of_the_formula(
    kind: type[SequenceLayerNorm] | type[SequenceBatchNorm], *, train: bool
) -> None:
    norm = kind(SIZE).double().train(train)
    scaled(norm)
    layout = sequences(3, 1, 2)

    def rows(data: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        found: Sequences = torch.func.functional_call(
            norm, {"weight": weight, "bias": bias}, (layout.with_data(data),)
        )
        return found.data

    leaves = [each.detach().requires_grad_() for each in (layout.data.double(), norm.weight, norm.bias)]
    assert torch.autograd.gradcheck(rows, leaves)


@pytest.mark.parametrize("kind", [SequenceLayerNorm, SequenceBatchNorm])
@pytest.mark.parametrize("train", [False, True])
def test_rows_in_bf16_are_normalised_in_the_precision_of_the_weights(
    kind: type[SequenceLayerNorm] | type[SequenceBatchNorm], *, train: bool
) -> None:
    norm = kind(SIZE).train(train)
    batch = sequences(6, 3)
    coarse = batch.with_data(batch.data.bfloat16())
    expected = kind(SIZE).train(train)(batch.with_data(coarse.data.float())).data
    with torch.autocast("cpu", torch.bfloat16):
        found = norm(coarse).data
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-5)
