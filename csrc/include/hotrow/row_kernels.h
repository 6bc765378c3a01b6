// The inner loops over rows, compiled once for each instruction set (csrc/isa) and chosen at run time.
// Every variant gives the same bits.
#pragma once

#include <cstdint>

#include "hotrow/layout.h"

namespace hotrow {

struct LookupKernels {
    // One id per bag, summed, no padding, no weights: writes the rows of examples [first, last) of ids
    // (B, F), side by side. tables and specs are of the F features. Returns false, having read no row that
    // is not there, if an id is bad.
    bool (*copy_rows_i32)(const uint8_t* const* tables, const TableSpec* specs, int64_t features,
                          const int32_t* ids, int64_t first, int64_t last, float* out);
    bool (*copy_rows_i64)(const uint8_t* const* tables, const TableSpec* specs, int64_t features,
                          const int64_t* ids, int64_t first, int64_t last, float* out);

    // Writes the results of bags [first, last) of a stream; returns false as above.
    bool (*pool_bags_i32)(const uint8_t* table, const TableSpec& spec, const Stream<int32_t>& stream, int64_t first,
                          int64_t last);
    bool (*pool_bags_i64)(const uint8_t* table, const TableSpec& spec, const Stream<int64_t>& stream, int64_t first,
                          int64_t last);

    // products[i * stream.stride] = row of lookup i . gradient of its bag (stream.result), over the
    // bag's count if mean; for the lookups of bags [first, last).
    void (*multiply_rows_i32)(const uint8_t* table, const TableSpec& spec, const Stream<int32_t>& stream,
                              int64_t first, int64_t last, float* products);
    void (*multiply_rows_i64)(const uint8_t* table, const TableSpec& spec, const Stream<int64_t>& stream,
                              int64_t first, int64_t last, float* products);
};

const LookupKernels& lookup_kernels();

enum class OptimizerKind : int32_t { sgd, momentum, rowwise_adagrad, adagrad, adam, lamb };

// One optimizer step (see Update in hotrow/kernels/embedding_bag/_types.py).
struct Step {
    OptimizerKind kind;
    float learning_rate;
    float epsilon;
    float beta1;
    float beta2;
    float rest1;        // 1 - beta1, which float32 betas near 1 would not give
    float rest2;        // 1 - beta2
    float correction1;  // 1 - beta1 ** step
    float correction2;  // 1 - beta2 ** step
    float decay;
    bool decoupled;
    float clip_value;  // infinity: none
    float clip_norm;   // infinity: none
    bool stochastic;
};

// Where the gradient of a lookup lies, by the number in the lower half of its key: row `number` of base
// when rows is null, else rows[number] times factors[number].
struct GradientRows {
    const float* base;
    int64_t stride;
    const float* const* rows;
    const float* factors;
};

// A row of so many lookups that its chunks' sums are made apart, by all threads: (chunks, D).
struct HotRow {
    int64_t first;
    int64_t count;
    float* sums;
};

// Gradients of a row are summed by chunks of this many lookups, and then the chunks' sums in order.
constexpr int64_t kChunk = 1024;

// Lookups [first, last) of a table's `count`, sorted by row: key = row << 32 | number.
struct SortedLookups {
    const uint64_t* keys;
    int64_t first;
    int64_t last;
    int64_t count;
    const HotRow* hot_rows;
    int64_t hot_count;
};

struct TableMemory {
    uint8_t* rows;
    float* states[2];
    uint32_t salt;  // of stochastic rounding
};

struct UpdateKernels {
    // Sums the gradients of each row that begins within the range, and steps the optimizer for it.
    // scratch: 4 * (D rounded up to 16) floats.
    void (*update_rows)(const TableSpec& spec, const TableMemory& memory, const SortedLookups& lookups,
                        const GradientRows& gradients, const Step& step, float* scratch);

    // sum (D) = gradients of n lookups.
    void (*sum_gradients)(const uint64_t* keys, int64_t n, int64_t width, const GradientRows& gradients, float* sum);
};

const UpdateKernels& update_kernels();

}  // namespace hotrow
