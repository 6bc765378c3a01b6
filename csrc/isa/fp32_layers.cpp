// The loop of linear layers in float32 (hotrow/fp32_layers.h), compiled once for each instruction set.
//
// A tile is a few rows by a few blocks of 16 outputs, whose sums stay in registers while inputs pass.
// Only internal functions: anything the linker could merge between variants might run on a processor that
// lacks it.
#include "hotrow/fp32_layers.h"

#include <cstring>

#include "hotrow/repeat.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kMostRows = 6, kMostSums = 24, kLanes = 16;
#elif defined(__AVX2__)
constexpr int kMostRows = 6, kMostSums = 12, kLanes = 8;
#else
constexpr int kMostRows = 2, kMostSums = 8, kLanes = 4;
#endif
constexpr int kBlock = Fp32Layer::kBlock, kMostBlocks = 6;
constexpr int kParts = kBlock / kLanes;  // of a block, each with its sums in a register
constexpr int64_t kMostInputs = 384;     // at a time, so that a block's weights stay in the first cache

typedef float Floats __attribute__((vector_size(kLanes * 4)));

HOTROW_INLINE Floats load(const float* from) {
    Floats vector;
    std::memcpy(&vector, from, sizeof(vector));
    return vector;
}

// Returns sums + x * weights, rounded once.
HOTROW_INLINE Floats fused(float x, Floats weights, Floats sums) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(_mm512_set1_ps(x), weights, sums);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(_mm256_set1_ps(x), weights, sums);
#else
    for (int o = 0; o < kLanes; ++o) sums[o] = __builtin_fmaf(x, weights[o], sums[o]);
    return sums;
#endif
}

// Some inputs of a layer: from the first on, so many. Sums start at the bias or at what is there.
struct Span {
    int64_t first, count;
    bool at_bias, is_last;
};

template <int kRows, int kBlocks>
__attribute__((noinline)) void tile(const Fp32Layer& layer, Span span, int64_t block, const float* x,
                                    int64_t x_stride, float* y, int64_t y_stride) {
    constexpr int kEach = kBlocks * kParts, kSums = kRows * kEach;
    const int64_t panel = layer.inputs * kBlock;
    const float* weights = layer.weights + block * panel + span.first * kBlock;
    const float* bias = layer.bias + block * kBlock;
    y += block * kBlock;
    Floats sums[kSums];
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS {
        const int place = i % kEach * kLanes;
        sums[i] = load(span.at_bias ? bias + place : y + i / kEach * y_stride + place);
    });
    for (int64_t input = span.first; input < span.first + span.count; ++input, weights += kBlock) {
        repeat<0, kSums>([&](int i) HOTROW_ALWAYS {
            const int at = i % kEach;
            const float* of = weights + at / kParts * panel + at % kParts * kLanes;
            sums[i] = fused(x[i / kEach * x_stride + input], load(of), sums[i]);
        });
    }
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS {
        if (span.is_last && layer.relu) sums[i] = sums[i] < Floats{} ? Floats{} : sums[i];  // NaN stays
        std::memcpy(y + i / kEach * y_stride + i % kEach * kLanes, &sums[i], sizeof(Floats));
    });
}

template <int kRows, int kBlocks>
HOTROW_INLINE void tile_of(int64_t blocks, const Fp32Layer& layer, Span span, int64_t block, const float* x,
                           int64_t x_stride, float* y, int64_t y_stride) {
    if constexpr (kBlocks > 1) {
        if (blocks < kBlocks) {
            return tile_of<kRows, kBlocks - 1>(blocks, layer, span, block, x, x_stride, y, y_stride);
        }
    }
    tile<kRows, kBlocks>(layer, span, block, x, x_stride, y, y_stride);
}

// Takes rows in tiles of kRows, then the fewer that are left.
template <int kRows>
void run_span(const Fp32Layer& layer, Span span, const float* x, int64_t x_stride, int64_t rows, float* y,
              int64_t y_stride) {
    constexpr int kFitting = kMostSums / kRows / kParts;
    constexpr int kBlocks = kFitting < 1 ? 1 : kFitting < kMostBlocks ? kFitting : kMostBlocks;
    const int64_t whole = rows / kRows * kRows;
    for (int64_t block = 0; block < layer.blocks; block += kBlocks) {
        for (int64_t row = 0; row < whole; row += kRows) {
            tile_of<kRows, kBlocks>(layer.blocks - block, layer, span, block, x + row * x_stride, x_stride,
                                    y + row * y_stride, y_stride);
        }
    }
    if constexpr (kRows > 1) {
        if (whole < rows) {
            run_span<kRows - 1>(layer, span, x + whole * x_stride, x_stride, rows - whole, y + whole * y_stride,
                                y_stride);
        }
    }
}

void run(const Fp32Layer& layer, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
         bool adds) {
    for (int64_t first = 0; first < layer.inputs; first += kMostInputs) {
        const int64_t left = layer.inputs - first;
        const int64_t count = left < kMostInputs ? left : kMostInputs;
        const Span span{first, count, first == 0 && !adds, count == left};
        run_span<kMostRows>(layer, span, x, x_stride, rows, y, y_stride);
    }
}

}  // namespace

extern const Fp32Kernels fp32_kernels;
const Fp32Kernels fp32_kernels = {run};

}  // namespace hotrow::HOTROW_ISA
