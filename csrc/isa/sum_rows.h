// Sums of rows that lie anywhere, in order, each times a coefficient or not.
#pragma once

#include "row_io.h"

namespace hotrow::HOTROW_ISA {
namespace {

constexpr int kMaxBlocks = kLanes / 2;  // blocks summed in registers at once

// Adds the same kBlocks blocks of columns of n rows to sums. Rows has `row(i)`, where row i lies in
// memory, and `coefficient(i)`. Quantised rows are code * scale + bias; biases are summed apart.
template <typename Format, int kBlocks, bool kWeighted, typename Rows>
HOTROW_INLINE void add_blocks(const Rows& rows, int64_t n, int64_t at, int64_t parameters_at, Block* sums,
                              float& biases) {
    for (int64_t i = 0; i < n; ++i) {
        const uint8_t* row = rows.row(i);
        float factor = kWeighted ? rows.coefficient(i) : 1.0f;
        if constexpr (Format::kQuantised) {
            float scale, bias;
            Format::parameters(row + parameters_at, scale, bias);
            biases += kWeighted ? factor * bias : bias;
            factor = kWeighted ? factor * scale : scale;
        }
        for (int k = 0; k < kBlocks; ++k) {
            const Block values = Format::load(row + at + k * Format::kBytes);
            sums[k] = kWeighted || Format::kQuantised ? sums[k] + splat(factor) * values : sums[k] + values;
        }
    }
}

template <typename Format, bool kWeighted, typename Rows>
HOTROW_INLINE void add_tail(const Rows& rows, int64_t n, int64_t at, int64_t columns, int64_t parameters_at,
                            Block& sum, float& biases) {
    for (int64_t i = 0; i < n; ++i) {
        const uint8_t* row = rows.row(i);
        float factor = kWeighted ? rows.coefficient(i) : 1.0f;
        if constexpr (Format::kQuantised) {
            float scale, bias;
            Format::parameters(row + parameters_at, scale, bias);
            biases += kWeighted ? factor * bias : bias;
            factor = kWeighted ? factor * scale : scale;
        }
        const Block values = load_tail<Format>(row + at, columns);
        sum = kWeighted || Format::kQuantised ? sum + splat(factor) * values : sum + values;
    }
}

// out (width) = sum of n >= 1 rows, or out += when `add`.
template <typename Format, bool kWeighted, typename Rows>
HOTROW_INLINE void sum_rows(const Rows& rows, int64_t n, int64_t width, bool add, float* out) {
    const int64_t parameters_at = bytes_of<Format>(width);
    int64_t column = 0;
    const auto blocks = [&](auto constant) __attribute__((always_inline)) {
        constexpr int kBlocks = decltype(constant)::value;
        Block sums[kBlocks];
        float biases = 0.0f;
        for (int k = 0; k < kBlocks; ++k) sums[k] = add ? load(out + column + k * kBlock) : splat(0.0f);
        add_blocks<Format, kBlocks, kWeighted>(rows, n, bytes_of<Format>(column), parameters_at, sums, biases);
        for (int k = 0; k < kBlocks; ++k) {
            store(out + column + k * kBlock, Format::kQuantised ? sums[k] + splat(biases) : sums[k]);
        }
        column += kBlocks * kBlock;
    };
    while (column + kMaxBlocks * kBlock <= width) blocks(Count<kMaxBlocks>{});
    if (kMaxBlocks > 4 && column + 4 * kBlock <= width) blocks(Count<4>{});
    while (column + 2 * kBlock <= width) blocks(Count<2>{});
    if (column + kBlock <= width) blocks(Count<1>{});
    if (column < width) {
        const int64_t columns = width - column;
        Block sum = add ? load_float_tail(out + column, columns) : splat(0.0f);
        float biases = 0.0f;
        add_tail<Format, kWeighted>(rows, n, bytes_of<Format>(column), columns, parameters_at, sum, biases);
        store_float_tail(out + column, Format::kQuantised ? sum + splat(biases) : sum, columns);
    }
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
