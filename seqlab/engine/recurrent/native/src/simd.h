// Vectors of floats in the compiler's own notation, so that one source serves every instruction set.
#pragma once

#include <cstdint>

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int MOST_ROWS = 12;  // sums of a tile that stay in the 32 registers
#elif defined(__AVX2__)
constexpr int LANES = 8;
constexpr int MOST_ROWS = 6;  // in 16 registers
#else
constexpr int LANES = 4;
constexpr int MOST_ROWS = 6;
#endif

constexpr int BLOCK = 2 * LANES;  // units that are worked on together: two vectors

typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE Floats load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

INLINE void store(float* to, Floats values) { *reinterpret_cast<Unaligned*>(to) = values; }

INLINE Floats all(float value) { return Floats{} + value; }

// exp(x) by Cephes' polynomial (Moshier, expf): the relative error is about one unit in the last place.
INLINE Floats exponential(Floats x) {
  constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: what is added to it loses its fraction
  x = x < -87.0f ? all(-87.0f) : x;     // a nan stays what it is
  x = x > 87.0f ? all(87.0f) : x;
  const Floats twos = (x * 1.44269504f + ROUND) - ROUND;
  const Floats rest = (x - twos * 0.693359375f) - twos * -2.12194440e-4f;
  Floats sum = all(1.9875691500e-4f);
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * (rest * rest) + (rest + 1.0f);
  const Ints power = (__builtin_convertvector(twos, Ints) + 127) << 23;
  return sum * reinterpret_cast<Floats>(power);
}

INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + exponential(-x)); }

// The error is about one unit in the last place of 1, also where tanh(x) itself is small.
INLINE Floats tanh(Floats x) { return 2.0f * sigmoid(x + x) - 1.0f; }
