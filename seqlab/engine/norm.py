"""Normalisation of rows; since Sequences hold no padding, every statistic is over real rows only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.engine.sequences import Sequences

__all__ = ["SequenceBatchNorm", "SequenceLayerNorm"]

EPSILON = 1e-5
"""Added to a variance before its root is taken; torch's own default."""

MOMENTUM = 0.1
"""Share of the newest batch in the running statistics; torch's own default."""


class SequenceLayerNorm(nn.Module):
    """Give each row mean 0 and variance 1 over its features, then a learned scale and shift per feature.

    Ba, Kiros and Hinton, "Layer Normalization" (2016).
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, inputs: Sequences) -> Sequences:
        """Map (rows, size) to (rows, size), in the precision of the weights."""
        rows = inputs.data.to(self.weight.dtype)
        return inputs.with_data(functional.layer_norm(rows, (self.size,), self.weight, self.bias, EPSILON))


class SequenceBatchNorm(nn.Module):
    """Give each feature mean 0 and variance 1 over the rows of a batch, then a learned scale and shift.

    Ioffe and Szegedy, "Batch Normalization" (2015). In evaluation the running statistics of the training
    stand in for those of the batch, so an answer depends on nothing but the sequence. In training each batch,
    or chunk of one, is normalised by itself; a single row, which has no variance, by the running statistics.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))

    def forward(self, inputs: Sequences) -> Sequences:
        """Map (rows, size) to (rows, size), in the precision of the weights."""
        rows = inputs.data.to(self.weight.dtype)
        if not self.training or len(rows) < 2:
            mean, variance = self.running_mean, self.running_var
            scale = self.weight * torch.rsqrt(variance + EPSILON)
            return inputs.with_data(rows * scale + (self.bias - mean * scale))
        self._remember(rows)
        normal = functional.batch_norm(rows, None, None, self.weight, self.bias, training=True, eps=EPSILON)
        return inputs.with_data(normal)

    @torch.no_grad()
    def _remember(self, rows: Tensor) -> None:
        """Move the running statistics towards those of the rows."""
        variance, mean = torch.var_mean(rows, dim=0)
        for running, found in ((self.running_mean, mean), (self.running_var, variance)):
            # A step that is not finite may be skipped; its statistics would spoil all that come after it.
            running.copy_(torch.where(torch.isfinite(found), running.lerp(found, MOMENTUM), running))
