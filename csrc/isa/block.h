// Sixteen columns at a time, whatever the width of the registers: every variant does the same
// arithmetic in the same order, and the build forbids fused multiply-add, so all give the same bits.
#pragma once

#include <cstdint>

#define HOTROW_MEMBER inline __attribute__((always_inline))
#define HOTROW_INLINE static HOTROW_MEMBER

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

constexpr int kBlock = 16;  // columns handled together, in every variant
constexpr int kParts = kBlock / kLanes;

template <int n>
struct Count {
    static constexpr int value = n;
};

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));

struct Block {
    Vector part[kParts];
};

HOTROW_INLINE Block load(const float* from) {
    Block block;
    __builtin_memcpy(&block, from, sizeof(Block));
    return block;
}

HOTROW_INLINE void store(float* to, const Block& block) { __builtin_memcpy(to, &block, sizeof(Block)); }

HOTROW_INLINE Block splat(float value) {
    Block block;
    for (int part = 0; part < kParts; ++part) block.part[part] = Vector{} + value;
    return block;
}

#define HOTROW_BLOCK_OPERATOR(op)                                                                  \
    HOTROW_INLINE Block operator op(const Block& a, const Block& b) {                              \
        Block result;                                                                              \
        for (int part = 0; part < kParts; ++part) result.part[part] = a.part[part] op b.part[part]; \
        return result;                                                                             \
    }
HOTROW_BLOCK_OPERATOR(+)
HOTROW_BLOCK_OPERATOR(-)
HOTROW_BLOCK_OPERATOR(*)
HOTROW_BLOCK_OPERATOR(/)
#undef HOTROW_BLOCK_OPERATOR

HOTROW_INLINE Block root(const Block& a) {
    Block result;
    for (int part = 0; part < kParts; ++part) {
        for (int lane = 0; lane < kLanes; ++lane) result.part[part][lane] = __builtin_sqrtf(a.part[part][lane]);
    }
    return result;
}

// Elements beyond +-limit become that; NaN stays.
HOTROW_INLINE Block clamp(const Block& a, float limit) {
    const Vector most = Vector{} + limit, least = Vector{} - limit;
    Block result;
    for (int part = 0; part < kParts; ++part) {
        const Vector x = a.part[part];
        const Vector below = x > most ? most : x;
        result.part[part] = below < least ? least : below;
    }
    return result;
}

// Sum of the 16 columns in one fixed order: halves, quarters, ...
HOTROW_INLINE float total(const Block& block) {
    typedef float Quad __attribute__((vector_size(16)));
    Quad quad[4];
    __builtin_memcpy(quad, &block, sizeof(quad));
    const Quad sum = (quad[0] + quad[2]) + (quad[1] + quad[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

HOTROW_INLINE int64_t round_up(int64_t columns) { return (columns + kBlock - 1) & ~int64_t{kBlock - 1}; }

HOTROW_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows are prefetched this many ahead: enough bytes in flight to hide the latency of memory.
HOTROW_INLINE int64_t rows_ahead(int64_t row_bytes) {
    const int64_t rows = 16384 / row_bytes;
    return rows < 32 ? 32 : rows > 128 ? 128 : rows;
}

// Into the second level of cache: a core has several times as many lines on their way to that as to the first.
HOTROW_INLINE void prefetch_line(const void* at) { __builtin_prefetch(at, 0, 2); }

HOTROW_INLINE void prefetch_bytes(const uint8_t* row, int64_t bytes) {
    for (int64_t at = 0; at < bytes; at += 64) prefetch_line(row + at);
    const bool whole_lines = ((reinterpret_cast<uintptr_t>(row) | static_cast<uintptr_t>(bytes)) & 63) == 0;
    if (!whole_lines) prefetch_line(row + bytes - 1);
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
