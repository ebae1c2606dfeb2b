"""What the recurrent kernels must compute, in float64 and plain loops: the formulas as the papers give them.

One sequence, one layer and one direction at a time; the other direction is the same on `inputs.flip(0)`.
Nothing is batched, fused or reordered, and `backward` is written out by hand (backpropagation through time:
Rumelhart, Hinton and Williams 1986; Werbos 1990), so that it judges kernels without leaning on autograd. It
is slow, to be read and to be compared with. `docs/explanation/bptt.md` derives it.

Names: `x` is a row of the inputs, `h` the hidden state, `c` the cell state of an LSTM, `d_v` stands for
dLoss/dv. Every cell computes two sums per step, in torch's layout with the gates stacked:

    from_input = W_ih x_t + b_ih
    from_state = W_hh (m * h_{t-1}) + b_hh          * is element by element

`m` is the mask of recurrent dropout: the same for all steps, on the recurrent product and nothing else (Gal
and Ghahramani 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from seqlab.engine.recurrent import CellKind
from seqlab.engine.state import State

__all__ = ["Gradients", "Step", "Trace", "Weights", "backward", "forward"]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The parameters of one layer and direction, or the gradients of these, named and laid out as torch's.

    `weight_ih` (gates * hidden, input), `weight_hh` (gates * hidden, hidden), both biases (gates * hidden);
    the gates are stacked as i, f, g, o (LSTM) and r, z, n (GRU). `weight_hr` (projected, hidden) is the
    projection of an LSTM, whose `weight_hh` is (gates * hidden, projected) then.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    weight_hr: Tensor | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor], suffix: str = "_l0") -> Weights:
        """Copy one layer and direction from a state dict of torch's; `suffix` is `_l1_reverse`, say."""
        names = [field.name for field in fields(cls) if field.name + suffix in parameters]
        return cls(
            **{name: parameters[name + suffix].detach().to(torch.float64, copy=True) for name in names}
        )

    def zeros(self) -> Weights:
        """Zeros of the same shapes, to add gradients to."""
        projection = None if self.weight_hr is None else torch.zeros_like(self.weight_hr)
        return Weights(
            weight_ih=torch.zeros_like(self.weight_ih),
            weight_hh=torch.zeros_like(self.weight_hh),
            bias_ih=torch.zeros_like(self.bias_ih),
            bias_hh=torch.zeros_like(self.bias_hh),
            weight_hr=projection,
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step has computed.

    `before` and `after` are the states, h or (h, c). `gates` are (i, f, g, o) for an LSTM, (r, z, n, s) for a
    GRU with s the `from_state` of n, nothing for the others. `unprojected` (hidden) is what the projection of
    an LSTM is applied to; without one it is h.
    """

    before: State
    gates: tuple[Tensor, ...]
    unprojected: Tensor
    after: State


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A forward pass: what went in, every step, and what came out.

    `inputs` (time, input), `mask` (size of h), `outputs` (time, size of h), `final` the state after the last
    step or, of an empty sequence, the `initial` one.
    """

    cell: CellKind
    weights: Weights
    mask: Tensor
    inputs: Tensor
    initial: State
    steps: tuple[Step, ...]
    outputs: Tensor

    @property
    def final(self) -> State:
        """The state after the last step."""
        return self.steps[-1].after if self.steps else self.initial


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """A backward pass.

    `inputs` (time, input), `state` that of the initial state, `weights` each a sum over all steps. `hidden`
    (time, size of h) is the whole dLoss/dh_t: what reaches h_t directly and through all later steps.
    `from_input` and `from_state` (time, gates * hidden) are those of the two sums of each step.
    """

    inputs: Tensor
    state: State
    weights: Weights
    hidden: Tensor
    from_input: Tensor
    from_state: Tensor


@torch.no_grad()
def forward(
    cell: CellKind,
    weights: Weights,
    inputs: Tensor,
    state: State | None = None,
    mask: Tensor | None = None,
) -> Trace:
    """Run a cell over inputs (time, input) from a state, h or (h, c), of zeros if none is given.

    `mask` (size of h) multiplies h_{t-1} before the recurrent product, at every step. Raises ValueError for
    inputs that are not float64 and for the wrong number of states.
    """
    if inputs.dtype != torch.float64:
        raise ValueError(f"the reference computes in float64, the inputs are {inputs.dtype}")
    zeros = _zero_state(cell, weights)
    state = zeros if state is None else state
    if len(state) != len(zeros):
        raise ValueError(f"the state of a cell of kind {cell!r} is {len(zeros)} tensors, not {len(state)}")
    mask = torch.ones_like(state[0]) if mask is None else mask
    initial, steps = state, []
    for x in inputs:
        from_input = weights.weight_ih @ x + weights.bias_ih
        from_state = weights.weight_hh @ (mask * state[0]) + weights.bias_hh
        gates, (unprojected, *rest) = _FORWARD[cell](from_input, from_state, state)
        after = (_project(weights, unprojected), *rest)
        steps.append(Step(before=state, gates=gates, unprojected=unprojected, after=after))
        state = after
    outputs = inputs.new_zeros(len(inputs), len(initial[0]))
    for t, step in enumerate(steps):
        outputs[t] = step.after[0]
    return Trace(
        cell=cell,
        weights=weights,
        mask=mask,
        inputs=inputs,
        initial=initial,
        steps=tuple(steps),
        outputs=outputs,
    )


@torch.no_grad()
def backward(trace: Trace, d_outputs: Tensor, d_state: State | None = None) -> Gradients:
    """Go back through the steps, from the last to the first (Werbos 1990).

    `d_outputs` (time, size of h) is what the loss gives each output, `d_state` what it gives the final state,
    zeros if not given. At each step

        dLoss/dh_t     = d_outputs[t] + what came back from step t + 1
        dLoss/dW_ih   += d_from_input x_t'              ' is transposition
        dLoss/dW_hh   += d_from_state (m * h_{t-1})'
        dLoss/dx_t     = W_ih' d_from_input
        to step t - 1  : m * W_hh' d_from_state, and what the cell passes on beside the recurrent product

    Raises ValueError where `d_outputs` has not the shape of the outputs.
    """
    if d_outputs.shape != trace.outputs.shape:
        raise ValueError(f"d_outputs is {tuple(d_outputs.shape)}, the outputs {tuple(trace.outputs.shape)}")
    weights, total = trace.weights, trace.weights.zeros()
    d_inputs, d_hidden = torch.zeros_like(trace.inputs), torch.zeros_like(d_outputs)
    d_from_input = d_outputs.new_zeros(len(d_outputs), len(weights.bias_ih))
    d_from_state = torch.zeros_like(d_from_input)
    d_state = tuple(torch.zeros_like(part) for part in trace.initial) if d_state is None else d_state
    for t in reversed(range(len(trace.steps))):
        step, x = trace.steps[t], trace.inputs[t]
        d_hidden[t] = d_outputs[t] + d_state[0]
        d_unprojected = _project_backward(step, d_hidden[t], weights.weight_hr, total.weight_hr)
        d_from_input[t], d_from_state[t], beside = _BACKWARD[trace.cell](step, (d_unprojected, *d_state[1:]))
        total.weight_ih.add_(torch.outer(d_from_input[t], x))
        total.weight_hh.add_(torch.outer(d_from_state[t], trace.mask * step.before[0]))
        total.bias_ih.add_(d_from_input[t])
        total.bias_hh.add_(d_from_state[t])
        d_inputs[t] = weights.weight_ih.T @ d_from_input[t]
        d_state = (trace.mask * (weights.weight_hh.T @ d_from_state[t]) + beside[0], *beside[1:])
    return Gradients(
        inputs=d_inputs,
        state=d_state,
        weights=total,
        hidden=d_hidden,
        from_input=d_from_input,
        from_state=d_from_state,
    )


def _zero_state(cell: CellKind, weights: Weights) -> State:
    hidden = weights.weight_hh.new_zeros(weights.weight_hh.shape[1])
    if cell != "lstm":
        return (hidden,)
    return hidden, weights.weight_hh.new_zeros(len(weights.weight_hh) // 4)


def _project(weights: Weights, unprojected: Tensor) -> Tensor:
    """Make h_t smaller by a matrix: `h_t = W_hr (o_t * tanh(c_t))` (Sak, Senior and Beaufays 2014)."""
    return unprojected if weights.weight_hr is None else weights.weight_hr @ unprojected


def _project_backward(step: Step, d_h: Tensor, weight_hr: Tensor | None, total: Tensor | None) -> Tensor:
    """Go back through the projection, `d = W_hr' d_h`, and add `d_h (o_t * tanh(c_t))'` to its gradient."""
    if weight_hr is None or total is None:
        return d_h
    total.add_(torch.outer(d_h, step.unprojected))
    return weight_hr.T @ d_h


# The cells. A forward function maps the two sums and the state before to the gates and the state after, h not
# yet projected. A backward function maps dLoss/dstate to that of the two sums and, last, to what goes to the
# state before without passing W_hh.

_Forward = Callable[[Tensor, Tensor, State], tuple[tuple[Tensor, ...], State]]
_Backward = Callable[[Step, State], tuple[Tensor, Tensor, State]]


def _rnn_tanh(from_input: Tensor, from_state: Tensor, _: State) -> tuple[tuple[Tensor, ...], State]:
    """Elman 1990 (there with the logistic function in place of tanh).

    h_t = tanh(from_input + from_state)
    """
    return (), (torch.tanh(from_input + from_state),)


def _rnn_tanh_backward(step: Step, d_after: State) -> tuple[Tensor, Tensor, State]:
    """Use that the derivative of tanh is 1 - tanh^2.

    d_sum = d_h * (1 - h_t^2)
    """
    (h,), (d_h,) = step.after, d_after
    d_sum = d_h * (1 - h**2)
    return d_sum, d_sum, (torch.zeros_like(h),)


def _rnn_relu(from_input: Tensor, from_state: Tensor, _: State) -> tuple[tuple[Tensor, ...], State]:
    """Rectify; started from W_hh = 1 and b = 0 it is a sum over time (Le, Jaitly and Hinton 2015).

    h_t = max(0, from_input + from_state)
    """
    return (), (torch.relu(from_input + from_state),)


def _rnn_relu_backward(step: Step, d_after: State) -> tuple[Tensor, Tensor, State]:
    """Pass the gradient where the unit is on; at 0 the derivative is 0, as torch has it.

    d_sum = d_h where h_t > 0, else 0
    """
    (h,), (d_h,) = step.after, d_after
    d_sum = d_h * (h > 0)
    return d_sum, d_sum, (torch.zeros_like(h),)


def _lstm(from_input: Tensor, from_state: Tensor, before: State) -> tuple[tuple[Tensor, ...], State]:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers, Schmidhuber and Cummins 2000.

    i, f, g, o = the four parts of from_input + from_state
    i, f, o    = sigmoid(i), sigmoid(f), sigmoid(o)
    g          = tanh(g)
    c_t        = f * c_{t-1} + i * g
    h_t        = o * tanh(c_t)
    """
    i, f, g, o = (from_input + from_state).chunk(4)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    _, c = before
    c = f * c + i * g
    return (i, f, g, o), (o * torch.tanh(c), c)


def _lstm_backward(step: Step, d_after: State) -> tuple[Tensor, Tensor, State]:
    """Follow every path, as Graves and Schmidhuber 2005; the gradient of 1997 was cut at the gates.

    d_c     = what came back to c_t + d_h * o * (1 - tanh(c_t)^2)
    d_i_sum = d_c * g * i * (1 - i)                   the derivative of sigmoid s is s * (1 - s)
    d_f_sum = d_c * c_{t-1} * f * (1 - f)
    d_g_sum = d_c * i * (1 - g^2)
    d_o_sum = d_h * tanh(c_t) * o * (1 - o)
    to c_{t-1}: d_c * f
    """
    (i, f, g, o), (_, c_before), (_, c) = step.gates, step.before, step.after
    d_h, d_c = d_after
    d_c = d_c + d_h * o * (1 - torch.tanh(c) ** 2)
    d_i = d_c * g * i * (1 - i)
    d_f = d_c * c_before * f * (1 - f)
    d_g = d_c * i * (1 - g**2)
    d_o = d_h * torch.tanh(c) * o * (1 - o)
    d_sum = torch.cat([d_i, d_f, d_g, d_o])
    return d_sum, d_sum, (torch.zeros_like(step.before[0]), d_c * f)


def _gru(from_input: Tensor, from_state: Tensor, before: State) -> tuple[tuple[Tensor, ...], State]:
    """Cho et al. 2014 in the variant of torch and cuDNN, where r acts after the recurrent product.

    r   = sigmoid(from_input_r + from_state_r)
    z   = sigmoid(from_input_z + from_state_z)
    n   = tanh(from_input_n + r * s)                  s = from_state_n, with its bias
    h_t = (1 - z) * n + z * h_{t-1}                   this h_{t-1} is not masked
    """
    (h,), (input_r, input_z, input_n) = before, from_input.chunk(3)
    state_r, state_z, s = from_state.chunk(3)
    r, z = torch.sigmoid(input_r + state_r), torch.sigmoid(input_z + state_z)
    n = torch.tanh(input_n + r * s)
    return (r, z, n, s), ((1 - z) * n + z * h,)


def _gru_backward(step: Step, d_after: State) -> tuple[Tensor, Tensor, State]:
    """Give n two different sums: the one from the state is multiplied by r, the one from the input is not.

    d_n_sum = d_h * (1 - z) * (1 - n^2)
    d_z_sum = d_h * (h_{t-1} - n) * z * (1 - z)
    d_r_sum = d_n_sum * s * r * (1 - r)
    d_s     = d_n_sum * r
    to h_{t-1}: d_h * z
    """
    (r, z, n, s), (h_before,), (d_h,) = step.gates, step.before, d_after
    d_n = d_h * (1 - z) * (1 - n**2)
    d_z = d_h * (h_before - n) * z * (1 - z)
    d_r = d_n * s * r * (1 - r)
    return torch.cat([d_r, d_z, d_n]), torch.cat([d_r, d_z, d_n * r]), (d_h * z,)


_FORWARD: dict[CellKind, _Forward] = {
    "rnn_tanh": _rnn_tanh,
    "rnn_relu": _rnn_relu,
    "lstm": _lstm,
    "gru": _gru,
}
_BACKWARD: dict[CellKind, _Backward] = {
    "rnn_tanh": _rnn_tanh_backward,
    "rnn_relu": _rnn_relu_backward,
    "lstm": _lstm_backward,
    "gru": _gru_backward,
}
