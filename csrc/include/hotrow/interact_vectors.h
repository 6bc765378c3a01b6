// Vectors of float32 for csrc/isa/interact.cpp, of the width of the instruction set it is compiled for.
// Everything is internal to the file that includes this.
#pragma once

#include <cstdint>

#include "hotrow/interact.h"
#include "hotrow/repeat.h"

#if defined(__clang__)
#define HOTROW_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define HOTROW_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, QuadInts{i, j, k, l})
#endif

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef float Quad __attribute__((vector_size(16)));
typedef int32_t QuadInts __attribute__((vector_size(16)));

template <int kCount>
struct Integers {
    typedef uint16_t Halves __attribute__((vector_size(kCount * 2)));
    typedef uint32_t Words __attribute__((vector_size(kCount * 4)));
};

template <typename Floats>
HOTROW_INLINE Floats load_as(const float* from) {
    Floats vector;
    __builtin_memcpy(&vector, from, sizeof(Floats));
    return vector;
}

template <typename Floats>
HOTROW_INLINE Floats load_as(const BFloat16* from) {
    using Words = typename Integers<sizeof(Floats) / 4>::Words;
    typename Integers<sizeof(Floats) / 4>::Halves halves;
    __builtin_memcpy(&halves, from, sizeof(halves));
    return reinterpret_cast<Floats>(__builtin_convertvector(halves, Words) << 16);
}

HOTROW_INLINE void store(float* to, Vector vector) { __builtin_memcpy(to, &vector, sizeof(Vector)); }

// Rounds to nearest, ties to even; every NaN becomes the quiet one.
HOTROW_INLINE void store(BFloat16* to, Vector vector) {
    using Halves = Integers<kLanes>::Halves;
    using Words = Integers<kLanes>::Words;
    const Words words = reinterpret_cast<Words>(vector);
    const Words rounded = (words + (((words >> 16) & 1) + 0x7fff)) >> 16;
    const Words is_number = reinterpret_cast<Words>(vector == vector);
    const Halves halves = __builtin_convertvector((rounded & is_number) | (~is_number & 0x7fc0), Halves);
    __builtin_memcpy(to, &halves, sizeof(Halves));
}

template <typename Floats, typename Element>
static __attribute__((noinline)) Floats load_few(const Element* from, int64_t count) {
    Element padded[sizeof(Floats) / 4] = {};
    for (int64_t i = 0; i < count; ++i) padded[i] = from[i];
    return load_as<Floats>(padded);
}

template <typename Element>
static __attribute__((noinline)) void store_few(Element* to, Vector vector, int64_t count) {
    Element padded[kLanes];
    store(padded, vector);
    for (int64_t i = 0; i < count; ++i) to[i] = padded[i];
}

// The first `count` elements only, the others zero; count >= 1, and may be more than there are lanes.
template <typename Floats, typename Element>
HOTROW_INLINE Floats load_part(const Element* from, int64_t count) {
    return count >= int64_t(sizeof(Floats) / 4) ? load_as<Floats>(from) : load_few<Floats>(from, count);
}

template <typename Element>
HOTROW_INLINE void store_part(Element* to, Vector vector, int64_t count) {
    if (count >= kLanes) {
        store(to, vector);
    } else {
        store_few(to, vector, count);
    }
}

HOTROW_INLINE void store_quad(float* to, Quad quad) { __builtin_memcpy(to, &quad, sizeof(Quad)); }

// Transposes a block of 4 x 4.
HOTROW_INLINE void transpose(Quad (&rows)[4]) {
    const Quad low01 = HOTROW_SHUFFLE(rows[0], rows[1], 0, 4, 1, 5);
    const Quad high01 = HOTROW_SHUFFLE(rows[0], rows[1], 2, 6, 3, 7);
    const Quad low23 = HOTROW_SHUFFLE(rows[2], rows[3], 0, 4, 1, 5);
    const Quad high23 = HOTROW_SHUFFLE(rows[2], rows[3], 2, 6, 3, 7);
    rows[0] = HOTROW_SHUFFLE(low01, low23, 0, 1, 4, 5);
    rows[1] = HOTROW_SHUFFLE(low01, low23, 2, 3, 6, 7);
    rows[2] = HOTROW_SHUFFLE(high01, high23, 0, 1, 4, 5);
    rows[3] = HOTROW_SHUFFLE(high01, high23, 2, 3, 6, 7);
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
