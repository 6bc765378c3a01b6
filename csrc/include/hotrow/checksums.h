// Checksums of table rows, and the check of lookups against them (see
// hotrow/kernels/embedding_bag/checksums.py for what is checked and why the bound holds).
#pragma once

#include <cstdint>

#include "hotrow/layout.h"

namespace hotrow {

// Of one row. All eight bytes come with one cache line.
struct RowChecksum {
    float sum;           // of the row's D numbers
    uint16_t magnitude;  // upper half of a float32 above the sum of the terms' absolute values
    uint16_t bytes;      // sum of the row's bytes, modulo 2**16
};
static_assert(sizeof(RowChecksum) == 8);

struct CheckKernels {
    // The checksums of rows [first, last).
    void (*sum_table)(const uint8_t* table, const TableSpec& spec, int64_t first, int64_t last, RowChecksum* checksums);

    // The first of the bags [first, last) of which a row or the result does not agree with the
    // checksums, or -1. scratch: D floats.
    int64_t (*check_bags_i32)(const RowChecksum* checksums, const uint8_t* table, const TableSpec& spec,
                              const Stream<int32_t>& stream, int64_t first, int64_t last, float* scratch);
    int64_t (*check_bags_i64)(const RowChecksum* checksums, const uint8_t* table, const TableSpec& spec,
                              const Stream<int64_t>& stream, int64_t first, int64_t last, float* scratch);
};

const CheckKernels& check_kernels();

// Writes the checksums of all rows of a table.
void make_checksums(const uint8_t* table, const TableSpec& spec, RowChecksum* checksums, int threads);

}  // namespace hotrow
