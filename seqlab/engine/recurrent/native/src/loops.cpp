// The time loops of a recurrent layer over packed rows, forwards and backwards, in fp32.
//
// Rows are packed time by time, the longest sequence first. The reverse direction walks time from its end, so nothing
// is ever permuted. H and R are multiples of BLOCK: padded units have weights of 0, and h of them is 0. Sums over all
// rows, the weights' gradients, are large matrix products, which torch does afterwards.
//
// In a step each thread works out some units of h from all of h before; a barrier follows. No sum is ever split, so
// neither the batch nor the number of threads changes a bit.
#include <cstdlib>
#include <cstring>

#include "cells.h"
#include "product.h"
#include "team.h"

// One layer over one batch, as Python fills it in (library.py has the same fields). (d, ...) are the directions.
struct Pass {
  int64_t cell;  // 0 LSTM, 1 GRU, 2 RNN with tanh, 3 RNN with relu
  int64_t steps, rows, sequences, directions, threads;
  int64_t units;                  // of the cell, without what pads them
  int64_t hidden;                 // H, units of the cell
  int64_t output;                 // R, size of h: H, or that of a projection
  int64_t packed;                 // whether the panels are filled already
  int64_t halves;                 // whether the panels of a pass forwards hold bf16, and so do the weights
  const int64_t* sizes;           // (steps) rows of each step, none more than the one before
  const int64_t* index;           // (rows) the row of `gates` that each row reads, or null: its own
  int64_t gate_rows;              // rows of `gates`
  int64_t input;                  // I, features of a row that the layer reads
  const float* inputs;            // (gate_rows, I)
  const float* input_weights[2];  // (gates H, I), for each direction
  float* input_panels[2];         // as large, of `halves` half as large
  const float* weights[2];        // (gates H, R) recurrent weights
  const float* projection[2];     // (R, H), or null
  float* panels[2];               // as large as the weights; a pass backwards packs them in another way
  float* projection_panels[2];
  const float* bias;         // (d, gates H)
  const float* hidden_bias;  // (d, H) of a GRU
  const float* mask;         // (d, sequences, R), multiplies h on its way into the product, or null
  const float* first_h;      // (d, sequences, R)
  const float* first_c;      // (d, sequences, H)
  float* final_h;
  float* final_c;
  float* outputs;      // (rows, d R), or null
  float* gates;        // (d, gate_rows, gates H): the input's projection; where `kept`, the gates, then their gradients
  float* kept;         // (d, rows, H), or null where nothing is kept for a pass backwards
  float* unprojected;  // (d, rows, H) h before its projection, where there is one and it is kept
  // Backwards only.
  const float* output_grads;  // (rows, d R), or null
  float* h_grads;             // (d, sequences, R) of the final state; they become those of the first
  float* c_grads;             // (d, sequences, H)
  float* bias_grads;          // (d, gates H) are added to
  float* projected_grads;     // (d, rows, R) dLoss/dh, where there is a projection
};

namespace {

struct Buffers {  // of one direction, shared by its threads
  float* h[2];    // (sequences, stride) before and after a step
  float* fed[2];  // h times the mask
  float* c;
  float* raw;         // h before its projection
  float* to_product;  // gradients of the recurrent product
  Barrier barrier;
};

struct Call {
  const Pass* pass;
  const Runtime* runtime;
  Buffers buffers[2];
  void (*share)(const Pass&, Buffers&, int direction, Share);
};

constexpr int64_t APART = 16;  // keeps rows of 2^n floats out of the same lines of the cache

int64_t apart(int64_t size) { return size + APART; }

int64_t gates_of(const Pass& p) { return p.cell == 0 ? 4 : p.cell == 1 ? 3 : 1; }

float* room(int64_t floats) { return static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 127) / 64 * 64)); }

void copy(float* to, const float* from, int64_t floats) { std::memcpy(to, from, floats * sizeof(float)); }

// Calls `group(first, count)` for groups of rows that are as equal as can be, none above MOST_ROWS.
template <class Group>
INLINE void in_groups(int64_t rows, Group group) {
  const int64_t groups = (rows + MOST_ROWS - 1) / MOST_ROWS;
  for (int64_t g = 0; g < groups; g++) group(rows * g / groups, rows * (g + 1) / groups - rows * g / groups);
}

// Rows times COUNT of the panels that a pass forwards has, from the one of this number on.
template <int COUNT>
INLINE void times(const Pass& p, int64_t count, int64_t depth, const float* rows, int64_t stride, const float* panels,
                  int64_t number, float* tile) {
  if (!p.halves) return multiply<COUNT>(count, depth, rows, stride, panels + number * depth * BLOCK, tile);
  const int32_t* halves = reinterpret_cast<const int32_t*>(panels) + number * words_of(depth) * BLOCK;
  multiply_halves<COUNT>(count, depth, rows, stride, halves, tile);
}

// Pack the columns from `first` on of weights of shape (columns, depth) into the panel of this number.
void pack(const Pass& p, const float* weights, int64_t depth, int64_t first, float* panels, int64_t number) {
  if (!p.halves) return pack_columns(weights, depth, first, panels + number * depth * BLOCK);
  pack_halves(weights, depth, first, reinterpret_cast<int32_t*>(panels) + number * words_of(depth) * BLOCK);
}

template <class Cell>
void pack_forward(const Pass& p, int d, Share share) {
  const int64_t blocks = p.hidden / BLOCK, columns_of_input = Cell::GATES * blocks;
  for (int64_t b = share.first(columns_of_input); b < share.last(columns_of_input); b++)
    pack(p, p.input_weights[d], p.input, b * BLOCK, p.input_panels[d], b);
  for (int64_t b = share.first(blocks); b < share.last(blocks); b++)
    for (int q = 0; q < Cell::GATES; q++)
      pack(p, p.weights[d], p.output, q * p.hidden + b * BLOCK, p.panels[d], b * Cell::GATES + q);
  if (!p.projection[d]) return;
  const int64_t columns = p.output / BLOCK;
  for (int64_t b = share.first(columns); b < share.last(columns); b++)
    pack(p, p.projection[d], p.hidden, b * BLOCK, p.projection_panels[d], b);
}

// How many panels are multiplied at once where no gates bind them together: several where rows are few.
int64_t panels_at_once(int64_t rows) { return rows <= MOST_ROWS / 2 ? 4 : 1; }

// Calls `use(number, tile)` for the products of rows and the panels [first, last).
template <class Use>
INLINE void by_panels(const Pass& p, int64_t count, int64_t first, int64_t last, int64_t depth, const float* rows,
                      int64_t stride, const float* panels, float* tile, Use use) {
  for (int64_t b = first; b < last;) {
    const int64_t most = panels_at_once(count) <= last - b ? panels_at_once(count) : 1;
    most == 4 ? times<4>(p, count, depth, rows, stride, panels, b, tile)
              : times<1>(p, count, depth, rows, stride, panels, b, tile);
    for (int64_t j = 0; j < most; j++) use(b + j, tile + j * TILE);
    b += most;
  }
}

constexpr int64_t CHUNK = 16 * MOST_ROWS;  // rows that stay in the cache while all panels pass by

// The input's projection, of a share of the rows.
template <class Cell>
void project(const Pass& p, int d, Share share) {
  const int64_t width = Cell::GATES * p.hidden, blocks = width / BLOCK, rows = p.gate_rows;
  alignas(64) float tile[4 * TILE];
  for (int64_t from = share.first(rows); from < share.last(rows); from += CHUNK) {
    const int64_t size = share.last(rows) - from < CHUNK ? share.last(rows) - from : CHUNK;
    const int64_t stride = panels_at_once(size);
    for (int64_t b = 0; b < blocks; b += stride)
      in_groups(size, [&](int64_t r0, int64_t count) {
        const float* row = p.inputs + (from + r0) * p.input;
        const int64_t last = b + stride < blocks ? b + stride : blocks;
        by_panels(p, count, b, last, p.input, row, p.input, p.input_panels[d], tile,
                  [&](int64_t number, const float* found) {
                    for (int64_t m = 0; m < count; m++)
                      copy(p.gates + (d * rows + from + r0 + m) * width + number * BLOCK, found + m * BLOCK, BLOCK);
                  });
      });
  }
}

template <class Cell>
void forward_share(const Pass& p, Buffers& own, int d, Share share) {
  const int64_t H = p.hidden, R = p.output, B = p.sequences, width = Cell::GATES * H;
  const int64_t ldh = apart(R), ldc = apart(H), ldo = p.directions * R;
  const int64_t first = share.first(H / BLOCK) * BLOCK, last = share.last(H / BLOCK) * BLOCK;
  const int64_t from = share.first(R / BLOCK) * BLOCK, to = share.last(R / BLOCK) * BLOCK;
  const bool reverse = d == 1;
  const float* mask = p.mask ? p.mask + d * B * R : nullptr;
  int seen = 0, now = 0;
  if (!p.packed) {
    pack_forward<Cell>(p, d, share);
    own.barrier.wait(share.slices, seen);
  }
  project<Cell>(p, d, share);
  for (int64_t r = 0; r < B; r++) {
    for (int half = 0; half < 2; half++) {
      copy(own.h[half] + r * ldh + from, p.first_h + (d * B + r) * R + from, to - from);
      if (mask)
        for (int64_t u = from; u < to; u++) own.fed[half][r * ldh + u] = own.h[half][r * ldh + u] * mask[r * R + u];
    }
    if (Cell::HAS_CELL) copy(own.c + r * ldc + first, p.first_c + (d * B + r) * H + first, last - first);
  }
  own.barrier.wait(share.slices, seen);
  // Write h of a row where it is needed.
  auto emit = [&](int64_t r, int64_t row, int64_t u, Floats h) {
    store(own.h[now ^ 1] + r * ldh + u, h);
    if (mask) store(own.fed[now ^ 1] + r * ldh + u, h * load(mask + r * R + u));
    if (p.outputs) store(p.outputs + row * ldo + d * R + u, h);
  };
  alignas(64) float tile[Cell::GATES * TILE];
  int64_t row = reverse ? p.rows : 0, alive = B;
  for (int64_t step = 0; step < p.steps; step++) {
    const int64_t n = p.sizes[reverse ? p.steps - 1 - step : step];
    if (reverse) row -= n;
    for (int64_t r = n; r < alive && !reverse; r++)  // these have ended
      copy(p.final_h + (d * B + r) * R + from, own.h[now] + r * ldh + from, to - from);
    alive = n;
    const float* fed = mask ? own.fed[now] : own.h[now];
    for (int64_t u = first; u < last; u += BLOCK)
      in_groups(n, [&](int64_t r0, int64_t count) {
        auto gates_of_row = [&](int64_t r) {
          return p.gates + (d * p.gate_rows + (p.index ? p.index[row + r] : row + r)) * width + u;
        };
        for (int64_t m = 0; m < count; m++)  // they come while the products are worked out
          for (int q = 0; q < Cell::GATES; q++) __builtin_prefetch(gates_of_row(r0 + m) + q * H);
        times<Cell::GATES>(p, count, R, fed + r0 * ldh, ldh, p.panels[d], u / BLOCK * Cell::GATES, tile);
        for (int64_t m = 0; m < count; m++) {
          const int64_t r = r0 + m, place = d * p.rows + row + r;
          float* gates = gates_of_row(r);
          const Forward at{tile + m * BLOCK,
                           gates,
                           p.bias + d * width + u,
                           p.hidden_bias + d * H + u,
                           own.h[now] + r * ldh + u,
                           own.c + r * ldc + u,
                           p.kept ? gates : nullptr,
                           p.kept + place * H + u,
                           H};
          for (int64_t v = 0; v < BLOCK; v += LANES) {
            Floats h = Cell::forward(at, v);
            if (u + v + LANES > p.units) h = first_of(h, p.units > u + v ? p.units - u - v : 0);  // 0 * inf is a nan
            if (!p.projection[d]) emit(r, row + r, u + v, h);
            else store(own.raw + r * ldc + u + v, h);
            if (p.unprojected) store(p.unprojected + place * H + u + v, h);
          }
        }
      });
    own.barrier.wait(share.slices, seen);
    if (p.projection[d]) {
      for (int64_t u = from; u < to; u += BLOCK)
        in_groups(n, [&](int64_t r0, int64_t count) {
          times<1>(p, count, H, own.raw + r0 * ldc, ldc, p.projection_panels[d], u / BLOCK, tile);
          for (int64_t m = 0; m < count; m++)
            for (int64_t v = 0; v < BLOCK; v += LANES) emit(r0 + m, row + r0 + m, u + v, load(tile + m * BLOCK + v));
        });
      own.barrier.wait(share.slices, seen);
    }
    if (!reverse) row += n;
    now ^= 1;
  }
  for (int64_t r = 0; r < (reverse ? B : alive); r++)
    copy(p.final_h + (d * B + r) * R + from, own.h[now] + r * ldh + from, to - from);
  for (int64_t r = 0; r < B && Cell::HAS_CELL; r++)
    copy(p.final_c + (d * B + r) * H + first, own.c + r * ldc + first, last - first);
}

template <class Cell>
void pack_backward(const Pass& p, int d, Share share) {
  const int64_t depth = Cell::GATES * p.hidden, columns = p.output / BLOCK;
  for (int64_t b = share.first(columns); b < share.last(columns); b++)
    pack_rows(p.weights[d], depth, p.output, b * BLOCK, p.panels[d] + b * depth * BLOCK);
  if (!p.projection[d]) return;
  const int64_t blocks = p.hidden / BLOCK;
  for (int64_t b = share.first(blocks); b < share.last(blocks); b++)
    pack_rows(p.projection[d], p.output, p.hidden, b * BLOCK, p.projection_panels[d] + b * p.output * BLOCK);
}

template <class Cell>
void backward_share(const Pass& p, Buffers& own, int d, Share share) {
  const int64_t H = p.hidden, R = p.output, B = p.sequences, width = Cell::GATES * H;
  const int64_t lda = apart(width), ldo = p.directions * R;
  const int64_t first = share.first(H / BLOCK), last = share.last(H / BLOCK);
  const int64_t from = share.first(R / BLOCK), to = share.last(R / BLOCK);
  const bool reverse = d == 1;
  const float* mask = p.mask ? p.mask + d * B * R : nullptr;
  float *h_grads = p.h_grads + d * B * R, *c_grads = p.c_grads + d * B * H;
  alignas(64) float tile[4 * TILE];
  int seen = 0;
  pack_backward<Cell>(p, d, share);
  own.barrier.wait(share.slices, seen);

  auto grad_of = [&](int64_t r, int64_t row, int64_t u) {
    const Floats carried = load(h_grads + r * R + u);
    return p.output_grads ? carried + load(p.output_grads + row * ldo + d * R + u) : carried;
  };
  // `row` is that of a sequence in this step, `before` its row one step earlier, or -1 in its first.
  auto step_back = [&](int64_t r, int64_t row, int64_t before, int64_t u, Floats grad) {
    const float* earlier = Cell::HAS_CELL
                               ? (before < 0 ? p.first_c + (d * B + r) * H : p.kept + (d * p.rows + before) * H)
                               : (before < 0 ? p.first_h + (d * B + r) * R : p.outputs + before * ldo + d * R);
    Floats grads[Cell::GATES];
    const Backward at{grad,
                      p.gates + (d * p.rows + row) * width + u,
                      p.kept + (d * p.rows + row) * H + u,
                      earlier + u,
                      c_grads + r * H + u,
                      own.to_product + r * lda + u,
                      H};
    const Floats passed = Cell::backward(at, 0, grads);
    if (Cell::PASSES_ON) store(h_grads + r * R + u, passed);
    for (int q = 0; q < Cell::GATES; q++) {
      float* sum = p.bias_grads + d * width + q * H + u;
      store(sum, load(sum) + grads[q]);
    }
  };

  int64_t row = reverse ? 0 : p.rows;
  for (int64_t step = 0; step < p.steps; step++) {
    const int64_t t = reverse ? step : p.steps - 1 - step, n = p.sizes[t];
    if (!reverse) row -= n;
    const int64_t known = reverse ? (t + 1 < p.steps ? p.sizes[t + 1] : 0) : (t ? n : 0);
    const int64_t earlier_row = reverse ? row + n : (t ? row - p.sizes[t - 1] : 0);
    auto before = [&](int64_t r) { return r < known ? earlier_row + r : -1; };
    if (!p.projection[d]) {
      for (int64_t r = 0; r < n; r++)
        for (int64_t u = first * BLOCK; u < last * BLOCK; u += LANES)
          step_back(r, row + r, before(r), u, grad_of(r, row + r, u));
    } else {
      float* projected = p.projected_grads + (d * p.rows + row) * R;
      for (int64_t r = 0; r < n; r++)
        for (int64_t u = from * BLOCK; u < to * BLOCK; u += LANES) store(projected + r * R + u, grad_of(r, row + r, u));
      own.barrier.wait(share.slices, seen);
      in_groups(n, [&](int64_t r0, int64_t count) {
        by_panels(p, count, first, last, R, projected + r0 * R, R, p.projection_panels[d], tile,
                  [&](int64_t b, const float* found) {
                    for (int64_t m = 0; m < count; m++)
                      for (int64_t v = 0; v < BLOCK; v += LANES)
                        step_back(r0 + m, row + r0 + m, before(r0 + m), b * BLOCK + v, load(found + m * BLOCK + v));
                  });
      });
    }
    own.barrier.wait(share.slices, seen);
    in_groups(n, [&](int64_t r0, int64_t count) {
      by_panels(p, count, from, to, width, own.to_product + r0 * lda, lda, p.panels[d], tile,
                [&](int64_t b, const float* found) {
                  for (int64_t m = 0; m < count; m++)
                    for (int64_t v = 0; v < BLOCK; v += LANES) {
                      float* grad = h_grads + (r0 + m) * R + b * BLOCK + v;
                      Floats sum = load(found + m * BLOCK + v);
                      if (mask) sum *= load(mask + (r0 + m) * R + b * BLOCK + v);
                      store(grad, Cell::PASSES_ON ? load(grad) + sum : sum);
                    }
                });
    });
    own.barrier.wait(share.slices, seen);
    if (reverse) row += n;
  }
}

// --- threads -----------------------------------------------------------------------------------------------

constexpr int64_t WORTH = 1 << 15;  // products of a step that are worth a thread of their own

void work(void* data) {
  Call& call = *static_cast<Call*>(data);
  const Pass& p = *call.pass;
  const int team = call.runtime->threads(), me = call.runtime->thread();
  const int64_t products = p.rows * gates_of(p) * p.hidden * p.output / p.steps;
  int64_t slices = team / p.directions, most = products / WORTH;
  const int64_t blocks = (p.hidden < p.output ? p.hidden : p.output) / BLOCK;
  if (slices > blocks) slices = blocks;
  if (slices > most) slices = most;
  if (slices < 1) slices = 1;
  for (int64_t job = me; job < p.directions * slices; job += team) {
    const int d = static_cast<int>(job / slices);
    call.share(p, call.buffers[d], d, Share{static_cast<int>(job % slices), static_cast<int>(slices)});
  }
}

int alone() { return 0; }
int single() { return 1; }
constexpr Runtime NO_RUNTIME{nullptr, alone, single};

int run(const Pass& p, const Runtime* runtime, bool backward, void (*share)(const Pass&, Buffers&, int, Share)) {
  const int64_t B = p.sequences, states = B * apart(p.output), cells = B * apart(p.hidden);
  const int64_t products = B * apart(gates_of(p) * p.hidden), masked = p.mask ? states : 0;
  const bool shared = p.threads > 1 && runtime && runtime->parallel;
  Call call{&p, shared ? runtime : &NO_RUNTIME, {}, share};
  float* memory = room(p.directions * (backward ? products : 2 * states + 2 * masked + 2 * cells));
  if (!memory) return 1;
  float* next = memory;
  for (int64_t d = 0; d < p.directions; d++) {
    Buffers& own = call.buffers[d];
    if (backward) {
      own.to_product = next;
      next += products;
      continue;
    }
    for (float*& part : own.h) part = next, next += states;
    for (float*& part : own.fed) part = next, next += masked;
    own.c = next, own.raw = next + cells, next += 2 * cells;
  }
  if (shared) runtime->parallel(work, &call, static_cast<unsigned>(p.threads), 0);
  else work(&call);
  std::free(memory);
  return 0;
}

}  // namespace

#define BY_CELL(function)               \
  p->cell == 0   ? function<LSTM>       \
  : p->cell == 1 ? function<GRU>        \
  : p->cell == 2 ? function<RNN<false>> \
                 : function<RNN<true>>

extern "C" {

// Tells loops that were compiled for another layout of `Pass`.
int64_t seqlab_pass_size() { return sizeof(Pass); }

// All sizes must be multiples of it.
int seqlab_block() { return BLOCK; }

// Both return 0, or 1 where there is no memory.
int seqlab_forward(const Pass* p, const Runtime* runtime) { return run(*p, runtime, false, BY_CELL(forward_share)); }

int seqlab_backward(const Pass* p, const Runtime* runtime) { return run(*p, runtime, true, BY_CELL(backward_share)); }

// Fills the panels of both directions, so that passes forwards need not: for weights that are used again.
void seqlab_pack(const Pass* p) {
  for (int d = 0; d < p->directions; d++) (BY_CELL(pack_forward))(*p, d, Share{0, 1});
}

// Writes h one step before each row of a direction, times the mask, to (rows, R).
void seqlab_before(const Pass* p, int d, float* before) {
  const int64_t R = p->output, ldo = p->directions * R;
  const float* mask = p->mask ? p->mask + d * p->sequences * R : nullptr;
  int64_t row = 0;
  for (int64_t t = 0; t < p->steps; row += p->sizes[t++])
    for (int64_t r = 0; r < p->sizes[t]; r++) {
      const bool inner = d == 1 ? t + 1 < p->steps && r < p->sizes[t + 1] : t > 0;
      const int64_t earlier = d == 1 ? row + p->sizes[t] + r : row - (t ? p->sizes[t - 1] : 0) + r;
      const float* h = inner ? p->outputs + earlier * ldo + d * R : p->first_h + (d * p->sequences + r) * R;
      for (int64_t u = 0; u < R; u++) before[(row + r) * R + u] = mask ? h[u] * mask[r * R + u] : h[u];
    }
}
}
