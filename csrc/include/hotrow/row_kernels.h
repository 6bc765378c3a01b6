// The inner loops over rows, compiled once for each instruction set and chosen at run time.
//
// csrc/isa/rows.cpp is the one source of all variants. It works in blocks of 16 columns whatever
// the width of the registers, and the build forbids fused multiply-add, so every variant gives
// the same bits.
#pragma once

#include <cstdint>

namespace hotrow {

// Optimizer step for one table: lookups already grouped by row.
struct RowGroups {
    const int64_t* rows;    // (U,) the different rows
    const int32_t* starts;  // (U + 1,) into order
    const int32_t* order;   // bags whose gradient goes to the row, in increasing order within a row
    int64_t count;          // U
};

struct RowKernels {
    // Raises largest[t] to the largest of ids (count, T) in column t, ids taken as unsigned.
    void (*largest_ids_i32)(const uint32_t* ids, int64_t count, int64_t tables, uint32_t* largest);
    void (*largest_ids_i64)(const uint64_t* ids, int64_t count, int64_t tables, uint64_t* largest);

    // Copies one row of each of T tables to out (B, stride), for examples [first, last) of ids (B, T).
    void (*copy_rows_i32)(const float* const* weights, const int64_t* widths, int64_t tables,
                          const int32_t* ids, int64_t first, int64_t last, float* out);
    void (*copy_rows_i64)(const float* const* weights, const int64_t* widths, int64_t tables,
                          const int64_t* ids, int64_t first, int64_t last, float* out);

    // out (bags, stride) = sums of rows; bag b is ids[offsets[b] .. offsets[b + 1]).
    void (*pool_bags_i32)(const float* weight, int64_t width, const int32_t* ids, const int64_t* offsets,
                          int64_t bags, float* out, int64_t stride);
    void (*pool_bags_i64)(const float* weight, int64_t width, const int64_t* ids, const int64_t* offsets,
                          int64_t bags, float* out, int64_t stride);

    // Sums grad (B, stride) over each group and updates the rows; state null: SGD. scratch: 2 * width.
    void (*update_rows)(float* weight, float* state, int64_t width, const RowGroups& groups, const float* grad,
                        int64_t stride, float learning_rate, float epsilon, float* scratch);
};

// The best variant for this processor, or the one that HOTROW_ISA names (baseline, avx2, avx512).
const RowKernels& row_kernels();

}  // namespace hotrow
