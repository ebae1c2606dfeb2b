// The recurrent product: a few rows times panels of weights, each sum in one fixed order.
//
// Every sum runs over the depth from its beginning to its end, whatever the number of rows. So a sequence has the
// same bits alone as in any batch. Where rows are few, several panels at once hide the latency of the additions.
#pragma once

#include <cstring>

#include "simd.h"

// A panel is (depth, BLOCK): the weights of BLOCK columns, row by row of the depth.
template <int ROWS, int PANELS>
INLINE void product(int64_t depth, const float* rows, int64_t stride, const float* panels, int64_t panel_size,
                    float* tile, int64_t tile_stride) {
  Floats sums[ROWS][2 * PANELS] = {};
  for (int64_t k = 0; k < depth; k++) {
    Floats weights[2 * PANELS];
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; p++) {
      const float* weight = panels + p * panel_size + k * BLOCK;
      __builtin_prefetch(weight + 32 * BLOCK);
      weights[2 * p] = load(weight);
      weights[2 * p + 1] = load(weight + LANES);
    }
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      const float value = rows[m * stride + k];
#pragma GCC unroll 8
      for (int j = 0; j < 2 * PANELS; j++) sums[m][j] += value * weights[j];
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 8
    for (int j = 0; j < 2 * PANELS; j++) store(tile + m * BLOCK + (j / 2) * tile_stride + (j % 2) * LANES, sums[m][j]);
}

// How many of `count` panels are multiplied at once: as many as keep enough sums busy and fit the registers.
constexpr int at_once(int rows, int count) {
  const int room = MOST_ROWS / rows;
  return room >= 4 && count % 4 == 0 ? 4 : room >= 3 && count % 3 == 0 ? 3 : room >= 2 && count % 2 == 0 ? 2 : 1;
}

// Rows times COUNT panels that lie one after another; the tile is (COUNT, MOST_ROWS, BLOCK).
template <int ROWS, int COUNT>
INLINE void products(int64_t depth, const float* rows, int64_t stride, const float* panels, float* tile) {
  constexpr int PANELS = at_once(ROWS, COUNT);
  for (int p = 0; p < COUNT; p += PANELS)
    product<ROWS, PANELS>(depth, rows, stride, panels + p * depth * BLOCK, depth * BLOCK, tile + p * MOST_ROWS * BLOCK,
                          MOST_ROWS * BLOCK);
}

// The same for a number of rows that is known when it runs, at most MOST_ROWS.
template <int COUNT, int ROWS = MOST_ROWS>
void multiply(int64_t count, int64_t depth, const float* rows, int64_t stride, const float* panels, float* tile) {
  if (count == ROWS) return products<ROWS, COUNT>(depth, rows, stride, panels, tile);
  if constexpr (ROWS > 1) multiply<COUNT, ROWS - 1>(count, depth, rows, stride, panels, tile);
}

// Weights in bf16 lie in words of two, (words, BLOCK): of one column, the earlier one of the depth in the lower half.
INLINE int64_t words_of(int64_t depth) { return (depth + 1) / 2; }

INLINE Floats lower(Ints words) { return reinterpret_cast<Floats>(words << 16); }
INLINE Floats upper(Ints words) { return reinterpret_cast<Floats>(words & static_cast<int32_t>(0xffff0000)); }

// A row times panels of them. The sums run as those above, so the bits are those of the same weights in fp32.
template <int PANELS>
INLINE void product_of_halves(int64_t depth, const float* row, const int32_t* panels, int64_t panel_size, float* tile) {
  Floats sums[2 * PANELS] = {};
  for (int64_t k = 0; k < depth; k += 2) {
    const float earlier = row[k], later = k + 1 < depth ? row[k + 1] : 0.0f;
#pragma GCC unroll 8
    for (int j = 0; j < 2 * PANELS; j++) {
      const int32_t* from = panels + (j / 2) * panel_size + k / 2 * BLOCK + (j % 2) * LANES;
      __builtin_prefetch(from + 32 * BLOCK);
      const Ints words = load(from);
      sums[j] += earlier * lower(words);
      sums[j] += later * upper(words);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < 2 * PANELS; j++) store(tile + (j / 2) * MOST_ROWS * BLOCK + (j % 2) * LANES, sums[j]);
}

// The same as `multiply`, row by row.
template <int COUNT>
void multiply_halves(int64_t count, int64_t depth, const float* rows, int64_t stride, const int32_t* panels,
                     float* tile) {
  constexpr int PANELS = at_once(1, COUNT);
  const int64_t size = words_of(depth) * BLOCK;
  for (int64_t m = 0; m < count; m++)
    for (int p = 0; p < COUNT; p += PANELS)
      product_of_halves<PANELS>(depth, rows + m * stride, panels + p * size, size, tile + (p * MOST_ROWS + m) * BLOCK);
}

// Pack the columns [first, first + BLOCK) of weights of shape (columns, depth) into a panel.
INLINE void pack_columns(const float* weights, int64_t depth, int64_t first, float* panel) {
  for (int64_t k = 0; k < depth; k++)
    for (int j = 0; j < BLOCK; j++) panel[k * BLOCK + j] = weights[(first + j) * depth + k];
}

// The same in bf16, of weights that are such numbers: the upper halves of their bits.
INLINE void pack_halves(const float* weights, int64_t depth, int64_t first, int32_t* panel) {
  for (int64_t k = 0; k < depth; k += 2)
    for (int j = 0; j < BLOCK; j++) {
      uint32_t bits[2] = {};
      std::memcpy(bits, weights + (first + j) * depth + k, (k + 1 < depth ? 2 : 1) * sizeof(float));
      panel[k / 2 * BLOCK + j] = static_cast<int32_t>((bits[0] >> 16) | (bits[1] & 0xffff0000u));
    }
}

// Pack the columns [first, first + BLOCK) of weights of shape (depth, columns) into a panel.
INLINE void pack_rows(const float* weights, int64_t depth, int64_t columns, int64_t first, float* panel) {
  for (int64_t k = 0; k < depth; k++)
    for (int j = 0; j < BLOCK; j++) panel[k * BLOCK + j] = weights[k * columns + first + j];
}
