// The loops of linear layers on 8-bit integers (hotrow/int8_layers.h), compiled once for each instruction set.
//
// A tile is a few rows by a few blocks of 16 outputs, whose sums stay in registers while all inputs pass.
// Only internal functions: anything the linker could merge between variants might run on a processor that
// lacks it.
#include "hotrow/int8_layers.h"

#include <cstring>

#include "hotrow/repeat.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kMostRows = 6, kMostBlocks = 4, kLanes = 16;
#elif defined(__AVX2__)
constexpr int kMostRows = 2, kMostBlocks = 2, kLanes = 8;
#else
constexpr int kMostRows = 1, kMostBlocks = 1, kLanes = 4;
#endif
constexpr int kParts = kBlock / kLanes;  // of a block, each with its sums in a register

typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef uint8_t Bytes __attribute__((vector_size(kLanes)));

HOTROW_INLINE int32_t four(const uint8_t* q) {
    int32_t bytes;
    std::memcpy(&bytes, q, sizeof(bytes));
    return bytes;
}

// Returns sums + the products of four inputs with the four weights of each of kLanes outputs.
HOTROW_INLINE Ints with_products(Ints sums, const uint8_t* q, const int8_t* weights) {
#if defined(__AVX512F__)
    const __m512i inputs = _mm512_set1_epi32(four(q)), of = _mm512_load_si512(weights);
    // As an instruction, so that the build needs no flag for VNNI: callers have asked the processor.
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(inputs), "v"(of));
    return sums;
#elif defined(__AVX2__)
    const __m256i inputs = _mm256_set1_epi32(four(q));
    const __m256i pairs = _mm256_maddubs_epi16(inputs, _mm256_load_si256(reinterpret_cast<const __m256i*>(weights)));
    return sums + reinterpret_cast<Ints>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#else
    for (int o = 0; o < kLanes; ++o) {
        for (int i = 0; i < kGroup; ++i) sums[o] += q[i] * weights[o * kGroup + i];
    }
    return sums;
#endif
}

HOTROW_INLINE Floats load(const float* from) {
    Floats vector;
    std::memcpy(&vector, from, sizeof(vector));
    return vector;
}

HOTROW_INLINE void store(Bytes bytes, uint8_t* to) { std::memcpy(to, &bytes, sizeof(bytes)); }

// Numbers must be in 0 ... 255.
HOTROW_INLINE Bytes to_bytes(Ints numbers) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    // GCC 12 would take the numbers out one by one.
    const __m256i whole = reinterpret_cast<__m256i>(numbers);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    return reinterpret_cast<Bytes>(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
#else
    return __builtin_convertvector(numbers, Bytes);
#endif
}

// NaN becomes 0.
HOTROW_INLINE Bytes quantized(Floats x, const Int8Layer& layer) {
    const Floats zero = {}, most = zero + 255.0f;
    Floats q = x * layer.steps + layer.start;
    q = q > zero ? q : zero;
    q = q < most ? q : most;
    return to_bytes(__builtin_convertvector(q, Ints));
}

void quantize(const float* x, int64_t count, const Int8Layer& layer, uint8_t* q) {
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) store(quantized(load(x + i), layer), q + i);
    if (i == count) return;
    Floats rest = {};  // what pads the last group meets weights of 0, but must be something
    std::memcpy(&rest, x + i, (count - i) * sizeof(float));
    store(quantized(rest, layer), q + i);
}

// Ends a part of a block: from sums to the next layer's inputs, or to numbers.
HOTROW_INLINE void finish(const Int8Layer& layer, int64_t place, Ints sums, const Int8Layer* next, uint8_t* q_out,
                          float* out) {
    Floats y = __builtin_convertvector(sums, Floats) * load(layer.multiplier + place) + load(layer.constant + place);
    if (layer.relu) y = y > Floats{} ? y : Floats{};
    if (next != nullptr) {
        store(quantized(y, *next), q_out + place);
    } else if (place + kLanes <= layer.outputs) {
        std::memcpy(out + place, &y, sizeof(y));
    } else if (place < layer.outputs) {
        std::memcpy(out + place, &y, (layer.outputs - place) * sizeof(float));
    }
}

template <int kRows, int kBlocks>
__attribute__((noinline)) void tile(const Int8Layer& layer, int64_t block, const uint8_t* q, int64_t stride,
                                    const Int8Layer* next, uint8_t* q_out, float* out) {
    constexpr int kEach = kBlocks * kParts, kSums = kRows * kEach;
    Ints sums[kSums];
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS { sums[i] = Ints{}; });
    const int64_t panel = layer.groups * kBlock * kGroup;
    const int8_t* weights = layer.weights + block * panel;
    for (int64_t group = 0; group < layer.groups; ++group, q += kGroup, weights += kBlock * kGroup) {
        repeat<0, kSums>([&](int i) HOTROW_ALWAYS {
            const int at = i % kEach;
            const int8_t* of = weights + at / kParts * panel + at % kParts * kLanes * kGroup;
            sums[i] = with_products(sums[i], q + i / kEach * stride, of);
        });
    }
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS {
        const int64_t row = i / kEach, place = block * kBlock + i % kEach * kLanes;
        finish(layer, place, sums[i], next, q_out + row * stride, out + row * layer.outputs);
    });
}

template <int kRows, int kBlocks>
HOTROW_INLINE void tile_of(int64_t rows, int64_t blocks, const Int8Layer& layer, int64_t block, const uint8_t* q,
                           int64_t stride, const Int8Layer* next, uint8_t* q_out, float* out) {
    if constexpr (kRows > 1) {
        if (rows < kRows) {
            return tile_of<kRows - 1, kBlocks>(rows, blocks, layer, block, q, stride, next, q_out, out);
        }
    }
    if constexpr (kBlocks > 1) {
        if (blocks < kBlocks) {
            return tile_of<kRows, kBlocks - 1>(rows, blocks, layer, block, q, stride, next, q_out, out);
        }
    }
    tile<kRows, kBlocks>(layer, block, q, stride, next, q_out, out);
}

void run(const Int8Layer& layer, const uint8_t* q, int64_t stride, int64_t rows, const Int8Layer* next,
         uint8_t* q_out, float* out) {
    for (int64_t block = 0; block < layer.blocks; block += kMostBlocks) {
        for (int64_t row = 0; row < rows; row += kMostRows) {
            tile_of<kMostRows, kMostBlocks>(rows - row, layer.blocks - block, layer, block, q + row * stride,
                                            stride, next, q_out + row * stride, out + row * layer.outputs);
        }
    }
}

}  // namespace

extern const Int8Kernels int8_kernels;
const Int8Kernels int8_kernels = {quantize, run};

}  // namespace hotrow::HOTROW_ISA
