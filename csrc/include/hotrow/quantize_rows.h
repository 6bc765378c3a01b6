// From rows of floats to rows of 8, 4 or 2-bit codes with scale and bias: the formats of
// src/hotrow/kernels/row_formats.py, the arithmetic of kernels/quantize_rows/reference.py.
#pragma once

#include <cstdint>

namespace hotrow {

enum class RowType { fp32, fp16, bf16 };

// What the outermost codes of a row stand for; NaN for a row that holds NaN or infinity.
struct RowRange {
    float low;
    float high;
};

// Compiled once for each instruction set (csrc/isa/quantize_*.cpp); all give the same bits.
struct QuantizeKernels {
    void (*widen_fp16)(const uint16_t* from, int64_t count, float* to);
    void (*widen_bf16)(const uint16_t* from, int64_t count, float* to);

    // ranges (count) of rows (count, width): smallest and largest elements.
    void (*minmax)(const float* rows, int64_t count, int64_t width, RowRange* ranges);

    // Writes rows of codes, scale and bias; returns the first row that the format cannot hold, or -1.
    // scratch: width + 8 bytes.
    int64_t (*encode)(const float* rows, int64_t count, int64_t width, int bits, const RowRange* ranges,
                      uint8_t* scratch, uint8_t* out);
};

struct QuantizeSearch {
    // ranges (count) of rows (count, width), narrowed to lessen the squared error.
    // scratch: kQuantizeGroup * width floats.
    void (*greedy)(const float* rows, int64_t count, int64_t width, int bits, RowRange* ranges, float* scratch);
};

constexpr int64_t kQuantizeGroup = 16;  // rows handed to these functions at once, at most

// Quantises rows (count, width) to out (count, row_bytes); returns the first row that cannot be held,
// or -1. bits: 8, 4 or 2; greedy: not with 8.
int64_t quantize_rows(const void* rows, RowType type, int64_t count, int64_t width, int bits, bool greedy,
                      uint8_t* out, int threads);

}  // namespace hotrow
