// The cells' arithmetic: one step forwards, and one backwards. The formulas are those of seqlab's cells in Python
// (lstm.py, gru.py, rnn.py), where they are derived, and of the reference in float64 (reference.py).
#pragma once

#include "simd.h"

// What a cell sees of a row in a step forwards. Pointers are to the first unit of a block; `hidden` units further is
// the next gate.
struct Forward {
  const float* product;  // the recurrent product, gate by gate, TILE apart
  const float* input;    // the input's projection
  const float* bias;
  const float* hidden_bias;
  const float* before;  // h one step earlier
  float* cell;          // c, which becomes that of this step
  float* gates;         // where the gates are kept for the backward pass, or null
  float* kept;          // where more is kept: c of an LSTM, the product within the reset gate of a GRU
  int64_t hidden;
};

// What a cell sees of a row in a step backwards.
struct Backward {
  Floats grad;           // dLoss/dh, complete
  float* gates;          // the gates, which become the gradients of the input's projection
  float* kept;           // what more was kept; of a GRU it becomes the gradient of the product in the reset gate
  const float* earlier;  // c one step earlier of an LSTM, h of a GRU
  float* cell_grad;      // dLoss/dc, which becomes that of the step before
  float* to_product;     // where the gradient of the recurrent product goes, gate by gate
  int64_t hidden;
};

constexpr int TILE = MOST_ROWS * BLOCK;  // of the products of one panel

struct LSTM {
  static constexpr int GATES = 4;
  static constexpr bool HAS_CELL = true, PASSES_ON = false;

  INLINE Floats forward(const Forward& at, int64_t u) {
    auto gate = [&](int q) {
      return load(at.product + q * TILE + u) + load(at.input + q * at.hidden + u) + load(at.bias + q * at.hidden + u);
    };
    const Floats i = sigmoid(gate(0)), f = sigmoid(gate(1)), g = tanh(gate(2)), o = sigmoid(gate(3));
    const Floats c = f * load(at.cell + u) + i * g;
    store(at.cell + u, c);
    if (at.gates) {
      store(at.gates + u, i);
      store(at.gates + at.hidden + u, f);
      store(at.gates + 2 * at.hidden + u, g);
      store(at.gates + 3 * at.hidden + u, o);
      store(at.kept + u, c);
    }
    return o * tanh(c);
  }

  INLINE Floats backward(const Backward& at, int64_t u, Floats (&grads)[GATES]) {
    const int64_t h = at.hidden;
    const Floats i = load(at.gates + u), f = load(at.gates + h + u), g = load(at.gates + 2 * h + u);
    const Floats o = load(at.gates + 3 * h + u), squashed = tanh(load(at.kept + u));
    const Floats through = at.grad * o;
    const Floats c = through * (1.0f - squashed * squashed) + load(at.cell_grad + u);
    grads[0] = c * i * g * (1.0f - i);
    grads[1] = c * f * load(at.earlier + u) * (1.0f - f);
    grads[2] = c * i * (1.0f - g * g);
    grads[3] = through * squashed * (1.0f - o);
    store(at.cell_grad + u, c * f);
    for (int q = 0; q < GATES; q++) {
      store(at.gates + q * h + u, grads[q]);
      store(at.to_product + q * h + u, grads[q]);
    }
    return Floats{};
  }
};

struct GRU {
  static constexpr int GATES = 3;
  static constexpr bool HAS_CELL = false, PASSES_ON = true;

  INLINE Floats forward(const Forward& at, int64_t u) {
    auto outer = [&](int q) { return load(at.input + q * at.hidden + u) + load(at.bias + q * at.hidden + u); };
    auto inner = [&](int q) { return load(at.product + q * TILE + u); };
    const Floats r = sigmoid(inner(0) + outer(0)), z = sigmoid(inner(1) + outer(1));
    const Floats pushed = inner(2) + load(at.hidden_bias + u);
    const Floats n = tanh(outer(2) + r * pushed);
    if (at.gates) {
      store(at.gates + u, r);
      store(at.gates + at.hidden + u, z);
      store(at.gates + 2 * at.hidden + u, n);
      store(at.kept + u, pushed);
    }
    return n + z * (load(at.before + u) - n);
  }

  INLINE Floats backward(const Backward& at, int64_t u, Floats (&grads)[GATES]) {
    const int64_t h = at.hidden;
    const Floats r = load(at.gates + u), z = load(at.gates + h + u), n = load(at.gates + 2 * h + u);
    const Floats pushed = load(at.kept + u);
    grads[2] = at.grad * (1.0f - z) * (1.0f - n * n);
    grads[0] = grads[2] * pushed * r * (1.0f - r);
    grads[1] = at.grad * (load(at.earlier + u) - n) * z * (1.0f - z);
    const Floats within = grads[2] * r;
    for (int q = 0; q < GATES; q++) {
      store(at.gates + q * h + u, grads[q]);
      store(at.to_product + q * h + u, q == 2 ? within : grads[q]);
    }
    store(at.kept + u, within);
    return at.grad * z;
  }
};

template <bool RELU>
struct RNN {
  static constexpr int GATES = 1;
  static constexpr bool HAS_CELL = false, PASSES_ON = false;

  INLINE Floats forward(const Forward& at, int64_t u) {
    const Floats sum = load(at.product + u) + load(at.input + u) + load(at.bias + u);
    const Floats h = RELU ? (sum < 0.0f ? Floats{} : sum) : tanh(sum);
    if (at.gates) store(at.gates + u, h);
    return h;
  }

  INLINE Floats backward(const Backward& at, int64_t u, Floats (&grads)[GATES]) {
    const Floats h = load(at.gates + u);
    grads[0] = RELU ? (h > 0.0f ? at.grad : Floats{}) : at.grad * (1.0f - h * h);
    store(at.gates + u, grads[0]);
    store(at.to_product + u, grads[0]);
    return Floats{};
  }
};
