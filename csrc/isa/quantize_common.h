// What the files of this folder that quantise rows share; included once in each, so compiled once for
// each instruction set.
#pragma once

#include "hotrow/quantize_rows.h"

#include <cstdint>

#define HOTROW_INLINE static inline __attribute__((always_inline))

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
static_assert(kQuantizeGroup % kLanes == 0);

constexpr float kRound = 12582912.0f;  // adding it rounds |x| < 2^22 to the nearest integer, ties to even

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Mask __attribute__((vector_size(kLanes * 4)));

// float16(x) as a float, to the nearest, ties to even; x is not NaN.
HOTROW_INLINE Vector rounded_to_half(Vector x) {
    const Mask magnitude = (Mask)x & 0x7FFFFFFF;
    const Mask normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1)) & ~0x1FFF;
    const Mask subnormal = (Mask)(((Vector)magnitude + 0.5f) - 0.5f);  // multiples of 2^-24
    const Mask finite = magnitude < 0x38800000 ? subnormal : normal;
    return (Vector)((finite >= 0x47800000 ? Mask{} + 0x7F800000 : finite) | ((Mask)x & ~0x7FFFFFFF));
}

// The codes 0 and top, both + kRound.
struct Codes {
    Vector lowest, highest;
};

HOTROW_INLINE Codes codes_up_to(float top) {
    volatile float round = kRound;  // were it a known constant, GCC would not find the max instruction
    const Vector lowest = Vector{} + round;
    return {lowest, lowest + top};
}

// The code nearest to x, + kRound: the code is its lowest byte. NaN stays NaN.
HOTROW_INLINE Vector shifted_code(Vector x, const Codes& codes) {
    x += codes.lowest;
    x = codes.highest < x ? codes.highest : x;
    return codes.lowest > x ? codes.lowest : x;
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
