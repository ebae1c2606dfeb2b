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
typedef int32_t UnalignedInts __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE Floats load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

INLINE Ints load(const int32_t* from) { return *reinterpret_cast<const UnalignedInts*>(from); }

INLINE void store(float* to, Floats values) { *reinterpret_cast<Unaligned*>(to) = values; }

// The first values, and zeros.
INLINE Floats first_of(Floats values, int64_t count) {
  for (int64_t i = count; i < LANES; i++) values[i] = 0.0f;
  return values;
}

INLINE Floats all(float value) { return Floats{} + value; }

constexpr float LOG2E = 1.44269504f;

// 2^x in two parts: a whole power n, and 2^(x - n) - 1 by a polynomial of least largest relative error (1e-8) on
// [-1/2, 1/2]. A nan stays what it is.
struct Power {
  Floats fraction;
  Ints exponent;  // n where a float has its exponent

  INLINE Power of(Floats x) {
    constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: a sum with it has lost its fraction
    x = 126.0f < x ? all(126.0f) : x;
    x = -126.0f > x ? all(-126.0f) : x;
    const Floats shifted = x + ROUND, rest = x - (shifted - ROUND);
    Floats sum = all(1.5403512032e-4f);
    sum = sum * rest + 1.3390735475e-3f;
    sum = sum * rest + 9.6182374960e-3f;
    sum = sum * rest + 5.5503574336e-2f;
    sum = sum * rest + 2.4022649795e-1f;
    sum = sum * rest + 6.9314718793e-1f;
    return {sum * rest, reinterpret_cast<Ints>(shifted) << 23};
  }

  Floats times_2_to_n(Floats value) const { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(value) + exponent); }
};

// The error is below 1e-7.
INLINE Floats sigmoid(Floats x) {
  const Power power = Power::of(x * -LOG2E);
  return 1.0f / (1.0f + power.times_2_to_n(power.fraction + 1.0f));
}

// As (e^2x - 1) / (e^2x + 1), whose error, below 2e-7, is relative: it is small where tanh is.
INLINE Floats tanh(Floats x) {
  const Power power = Power::of(x * (2.0f * LOG2E));
  const Floats whole = power.times_2_to_n(all(1.0f)), less_1 = power.fraction * whole + (whole - 1.0f);
  return less_1 / (less_1 + 2.0f);
}
