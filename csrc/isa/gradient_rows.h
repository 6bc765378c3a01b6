// Gradients of lookups, by their keys, and their sums.
#pragma once

#include "hotrow/row_kernels.h"

#include "sum_rows.h"

namespace hotrow::HOTROW_ISA {
namespace {

HOTROW_INLINE int64_t row_of(uint64_t key) { return static_cast<int64_t>(key >> 32); }
HOTROW_INLINE int64_t number_of(uint64_t key) { return static_cast<int64_t>(key & 0xFFFFFFFFu); }

// Gradient rows side by side in one matrix.
struct InMatrix {
    const uint64_t* keys;
    const float* base;
    int64_t stride;

    HOTROW_MEMBER const float* floats(int64_t i) const { return base + number_of(keys[i]) * stride; }
    HOTROW_MEMBER const uint8_t* row(int64_t i) const { return reinterpret_cast<const uint8_t*>(floats(i)); }
    HOTROW_MEMBER float coefficient(int64_t) const { return 1.0f; }
    HOTROW_MEMBER InMatrix from(int64_t first) const { return {keys + first, base, stride}; }
    static constexpr bool kWeighted = false;
};

// Gradient rows anywhere, with a factor each.
struct Anywhere {
    const uint64_t* keys;
    const float* const* rows;
    const float* factors;

    HOTROW_MEMBER const float* floats(int64_t i) const { return rows[number_of(keys[i])]; }
    HOTROW_MEMBER const uint8_t* row(int64_t i) const { return reinterpret_cast<const uint8_t*>(floats(i)); }
    HOTROW_MEMBER float coefficient(int64_t i) const { return factors[number_of(keys[i])]; }
    HOTROW_MEMBER Anywhere from(int64_t first) const { return {keys + first, rows, factors}; }
    static constexpr bool kWeighted = true;
};

template <typename Rows>
HOTROW_INLINE void sum_chunk(const Rows& rows, int64_t n, int64_t width, float* sum) {
    sum_rows<Fp32, Rows::kWeighted>(rows, n, width, false, sum);
}

HOTROW_INLINE void add_row(float* sum, const float* row, int64_t width) {
    for (int64_t column = 0; column < width; ++column) sum[column] += row[column];
}

// Gradient of one row: the sum of its chunks' sums, made here or, for a hot row, before. Not inlined: the loops
// that call it are many.
template <typename Rows>
__attribute__((noinline)) void sum_row(const Rows& rows, int64_t n, const HotRow* hot, int64_t width, float* sum,
                                       float* spare) {
    if (hot != nullptr) {
        for (int64_t column = 0; column < width; ++column) sum[column] = hot->sums[column];
        for (int64_t chunk = 1; chunk * kChunk < n; ++chunk) add_row(sum, hot->sums + chunk * width, width);
        return;
    }
    sum_chunk(rows, smaller(n, kChunk), width, sum);
    for (int64_t first = kChunk; first < n; first += kChunk) {
        sum_chunk(rows.from(first), smaller(n - first, kChunk), width, spare);
        add_row(sum, spare, width);
    }
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
