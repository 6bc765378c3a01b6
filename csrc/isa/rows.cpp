// Inner loops over rows for one instruction set: compiled several times, each with its own
// HOTROW_ISA (the namespace) and compiler flags. Only always-inline and internal functions here:
// anything the linker could merge between variants might run on a processor that lacks it.
#include "hotrow/row_kernels.h"

#include <cstdint>

#define HOTROW_INLINE static inline __attribute__((always_inline))

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

constexpr int kBlock = 16;           // columns handled together, in every variant
constexpr int kParts = kBlock / kLanes;
constexpr int kMaxBlocks = kLanes / 2;  // blocks summed in registers at once
constexpr int kAhead = 16;           // rows prefetched ahead
constexpr int64_t kChunk = 1024;     // gradients of a hot row are summed by chunks of this many
constexpr int64_t kLine = 16;        // floats in a cache line

typedef float Vector __attribute__((vector_size(kLanes * 4)));

struct Block {
    Vector part[kParts];
};

HOTROW_INLINE Block load(const float* from) {
    Block block;
    __builtin_memcpy(&block, from, sizeof(Block));
    return block;
}

HOTROW_INLINE void store(float* to, const Block& block) { __builtin_memcpy(to, &block, sizeof(Block)); }

// The last D mod 16 columns, padded with zeros.
HOTROW_INLINE Block load_tail(const float* from, int64_t columns) {
    float padded[kBlock] = {};
    for (int64_t column = 0; column < columns; ++column) padded[column] = from[column];
    return load(padded);
}

HOTROW_INLINE void store_tail(float* to, const Block& block, int64_t columns) {
    float padded[kBlock];
    store(padded, block);
    for (int64_t column = 0; column < columns; ++column) to[column] = padded[column];
}

HOTROW_INLINE Block splat(float value) {
    Block block;
    for (int part = 0; part < kParts; ++part) block.part[part] = Vector{} + value;
    return block;
}

HOTROW_INLINE Block operator+(const Block& a, const Block& b) {
    Block sum;
    for (int part = 0; part < kParts; ++part) sum.part[part] = a.part[part] + b.part[part];
    return sum;
}

HOTROW_INLINE Block operator-(const Block& a, const Block& b) {
    Block difference;
    for (int part = 0; part < kParts; ++part) difference.part[part] = a.part[part] - b.part[part];
    return difference;
}

HOTROW_INLINE Block operator*(const Block& a, const Block& b) {
    Block product;
    for (int part = 0; part < kParts; ++part) product.part[part] = a.part[part] * b.part[part];
    return product;
}

// Sum of the 16 columns in one fixed order: halves, quarters, ...
HOTROW_INLINE float total(const Block& block) {
    typedef float Quad __attribute__((vector_size(16)));
    Quad quad[4];
    __builtin_memcpy(quad, &block, sizeof(quad));
    const Quad sum = (quad[0] + quad[2]) + (quad[1] + quad[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

HOTROW_INLINE void prefetch_row(const float* row, int64_t width) {
    for (int64_t column = 0; column < width; column += kLine) __builtin_prefetch(row + column);
    __builtin_prefetch(row + width - 1);  // rows need not start at a cache line
}

HOTROW_INLINE void copy_row(float* to, const float* from, int64_t width) {
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) store(to + column, load(from + column));
    for (; column < width; ++column) to[column] = from[column];
}

// Sums the same kBlocks blocks of columns of `count` rows, in order.
template <int kBlocks, typename Index>
HOTROW_INLINE void sum_blocks(const float* base, int64_t stride, const Index* index, int64_t count, float* out) {
    Block sum[kBlocks];
    for (int k = 0; k < kBlocks; ++k) sum[k] = load(base + int64_t(index[0]) * stride + k * kBlock);
    for (int64_t i = 1; i < count; ++i) {
        const float* row = base + int64_t(index[i]) * stride;
        for (int k = 0; k < kBlocks; ++k) sum[k] = sum[k] + load(row + k * kBlock);
    }
    for (int k = 0; k < kBlocks; ++k) store(out + k * kBlock, sum[k]);
}

template <typename Index>
HOTROW_INLINE void sum_tail(const float* base, int64_t stride, const Index* index, int64_t count, int64_t columns,
                            float* out) {
    for (int64_t column = 0; column < columns; ++column) {
        float sum = base[int64_t(index[0]) * stride + column];
        for (int64_t i = 1; i < count; ++i) sum += base[int64_t(index[i]) * stride + column];
        out[column] = sum;
    }
}

// out (width) = sum over i of base[index[i] * stride ..], count >= 1.
template <typename Index>
HOTROW_INLINE void sum_rows(const float* base, int64_t stride, const Index* index, int64_t count, int64_t width,
                            float* out) {
    int64_t column = 0;
    for (; column + kMaxBlocks * kBlock <= width; column += kMaxBlocks * kBlock) {
        sum_blocks<kMaxBlocks>(base + column, stride, index, count, out + column);
    }
    for (; column + 2 * kBlock <= width; column += 2 * kBlock) {
        sum_blocks<2>(base + column, stride, index, count, out + column);
    }
    if (column + kBlock <= width) {
        sum_blocks<1>(base + column, stride, index, count, out + column);
        column += kBlock;
    }
    sum_tail(base + column, stride, index, count, width - column, out + column);
}

template <typename Unsigned>
HOTROW_INLINE void largest_ids(const Unsigned* __restrict ids, int64_t count, int64_t tables,
                               Unsigned* __restrict largest) {
    if (tables == 1) {
        Unsigned most = *largest;
        for (int64_t i = 0; i < count; ++i) most = ids[i] > most ? ids[i] : most;
        *largest = most;
        return;
    }
    for (int64_t i = 0; i < count; ++i, ids += tables) {
        for (int64_t table = 0; table < tables; ++table) {
            largest[table] = ids[table] > largest[table] ? ids[table] : largest[table];
        }
    }
}

template <typename Id>
HOTROW_INLINE void copy_rows(const float* const* weights, const int64_t* widths, int64_t tables, const Id* ids,
                             int64_t first, int64_t last, float* out) {
    int64_t stride = 0;
    for (int64_t table = 0; table < tables; ++table) stride += widths[table];
    const int64_t ahead = tables >= kAhead ? tables : (kAhead + tables - 1) / tables * tables;  // whole examples
    const int64_t end = last * tables;
    float* to = out + first * stride;
    for (int64_t at = first * tables; at < end;) {
        for (int64_t table = 0; table < tables; ++table, ++at) {
            const int64_t width = widths[table];
            if (at + ahead < end) prefetch_row(weights[table] + int64_t(ids[at + ahead]) * width, width);
            copy_row(to, weights[table] + int64_t(ids[at]) * width, width);
            to += width;
        }
    }
}

template <typename Id>
HOTROW_INLINE void pool_bags(const float* weight, int64_t width, const Id* ids, const int64_t* offsets, int64_t bags,
                             float* out, int64_t stride) {
    const int64_t end = offsets[bags];
    int64_t fetched = offsets[0];
    for (int64_t bag = 0; bag < bags; ++bag, out += stride) {
        const int64_t first = offsets[bag], last = offsets[bag + 1];
        const int64_t fetch_until = last + kAhead < end ? last + kAhead : end;
        for (; fetched < fetch_until; ++fetched) prefetch_row(weight + int64_t(ids[fetched]) * width, width);
        if (first == last) {
            for (int64_t column = 0; column < width; ++column) out[column] = 0.0f;
        } else {
            sum_rows(weight, width, ids + first, last - first, width, out);
        }
    }
}

// Gradient of one row: plain sum in order of bags, or, for a hot row, the sum of its chunks' sums.
HOTROW_INLINE void sum_gradients(const float* grad, int64_t stride, const int32_t* order, int64_t count,
                                 int64_t width, float* out, float* chunk) {
    sum_rows(grad, stride, order, count < kChunk ? count : kChunk, width, out);
    for (int64_t first = kChunk; first < count; first += kChunk) {
        const int64_t size = count - first < kChunk ? count - first : kChunk;
        sum_rows(grad, stride, order + first, size, width, chunk);
        for (int64_t column = 0; column < width; ++column) out[column] += chunk[column];
    }
}

HOTROW_INLINE float mean_square(const float* grad, int64_t width) {
    Block squares = splat(0.0f);
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) {
        const Block g = load(grad + column);
        squares = squares + g * g;
    }
    if (column < width) {
        const Block g = load_tail(grad + column, width - column);
        squares = squares + g * g;
    }
    return total(squares) / float(width);
}

// row -= rate * grad
HOTROW_INLINE void step_row(float* row, const float* grad, float rate, int64_t width) {
    const Block rates = splat(rate);
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) {
        store(row + column, load(row + column) - rates * load(grad + column));
    }
    for (; column < width; ++column) row[column] -= rate * grad[column];
}

HOTROW_INLINE void update_groups(float* weight, float* state, int64_t width, const RowGroups& groups,
                                 const float* grad, int64_t stride, float learning_rate, float epsilon,
                                 float* scratch) {
    for (int64_t group = 0; group < groups.count; ++group) {
        if (group + kAhead < groups.count) {
            const int64_t next = groups.rows[group + kAhead];
            prefetch_row(weight + next * width, width);
            if (state != nullptr) __builtin_prefetch(state + next);
            prefetch_row(grad + groups.order[groups.starts[group + kAhead]] * stride, width);
        }
        const int64_t row = groups.rows[group];
        const int32_t first = groups.starts[group];
        sum_gradients(grad, stride, groups.order + first, groups.starts[group + 1] - first, width, scratch,
                      scratch + width);
        float rate = learning_rate;
        if (state != nullptr) {
            state[row] += mean_square(scratch, width);
            rate = learning_rate / (__builtin_sqrtf(state[row]) + epsilon);
        }
        step_row(weight + row * width, scratch, rate, width);
    }
}

void update_rows(float* weight, float* state, int64_t width, const RowGroups& groups, const float* grad,
                 int64_t stride, float learning_rate, float epsilon, float* scratch) {
    const auto with_width = [&](int64_t constant) __attribute__((always_inline)) {
        update_groups(weight, state, constant, groups, grad, stride, learning_rate, epsilon, scratch);
    };
    switch (width) {  // the loops over the columns of the usual widths are unrolled
        case 16: return with_width(16);
        case 32: return with_width(32);
        case 64: return with_width(64);
        case 128: return with_width(128);
        default: return with_width(width);
    }
}

void largest_ids_i32(const uint32_t* ids, int64_t count, int64_t tables, uint32_t* largest) {
    largest_ids(ids, count, tables, largest);
}

void largest_ids_i64(const uint64_t* ids, int64_t count, int64_t tables, uint64_t* largest) {
    largest_ids(ids, count, tables, largest);
}

void copy_rows_i32(const float* const* weights, const int64_t* widths, int64_t tables, const int32_t* ids, int64_t first,
                   int64_t last, float* out) {
    copy_rows(weights, widths, tables, ids, first, last, out);
}

void copy_rows_i64(const float* const* weights, const int64_t* widths, int64_t tables, const int64_t* ids, int64_t first,
                   int64_t last, float* out) {
    copy_rows(weights, widths, tables, ids, first, last, out);
}

void pool_bags_i32(const float* weight, int64_t width, const int32_t* ids, const int64_t* offsets, int64_t bags,
                   float* out, int64_t stride) {
    pool_bags(weight, width, ids, offsets, bags, out, stride);
}

void pool_bags_i64(const float* weight, int64_t width, const int64_t* ids, const int64_t* offsets, int64_t bags,
                   float* out, int64_t stride) {
    pool_bags(weight, width, ids, offsets, bags, out, stride);
}

}  // namespace

extern const RowKernels row_kernels;
const RowKernels row_kernels = {largest_ids_i32, largest_ids_i64, copy_rows_i32,
                            copy_rows_i64,           pool_bags_i32,   pool_bags_i64,   update_rows};

}  // namespace hotrow::HOTROW_ISA
