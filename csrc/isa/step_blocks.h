// The optimizer's step for rows of a width known when this is compiled: the sum of a row's gradients stays in
// registers. 64 lookups at a time, rows of one lookup come first, found by bits and not by branches that a
// processor cannot foresee.
#pragma once

#include <type_traits>

#include "gradient_rows.h"
#include "optimizer_step.h"

namespace hotrow::HOTROW_ISA {
namespace {

constexpr int64_t kWindow = 64;

// Prefetches what steps need, a fixed number of lookups ahead of those done.
template <typename Format, int kBlocks, typename Rows>
class Ahead {
public:
    HOTROW_MEMBER Ahead(const TableMemory& memory, const SortedLookups& lookups, const Rows& rows, const Step& step)
        : memory_(memory), rows_(rows), step_(step), keys_(lookups.keys), next_(lookups.first), count_(lookups.count) {}

    HOTROW_MEMBER void reach(int64_t lookup) {
        for (const int64_t until = smaller(lookup + kDistance, count_); next_ < until; ++next_) fetch(next_);
    }
    HOTROW_MEMBER void advance() {
        fetch(smaller(next_, count_ - 1));
        ++next_;
    }
    HOTROW_MEMBER void skip_to(int64_t lookup) { next_ = next_ < lookup ? lookup : next_; }

private:
    static constexpr int64_t kRowBytes = kBlocks * Format::kBytes;
    static constexpr int64_t kDistance = 2 * (kRowBytes < 128 ? 128 : kRowBytes > 512 ? 32 : 16384 / kRowBytes);

    HOTROW_MEMBER void fetch(int64_t i) const {
        const int64_t row = row_of(keys_[i]);
        prefetch_bytes(rows_.row(i), kBlocks * kBlock * 4);
        prefetch_bytes(memory_.rows + row * kRowBytes, kRowBytes);
        prefetch_state(memory_, row, kBlocks * kBlock, step_);
    }

    const TableMemory& memory_;
    const Rows& rows_;
    const Step& step_;
    const uint64_t* keys_;
    int64_t next_;
    int64_t count_;
};

// Any optimizer but LAMB, without decay and clipping.
template <typename Format, OptimizerKind kKind, int kBlocks>
HOTROW_INLINE void step_blocks(const TableMemory& memory, int64_t row, const Block* gradient, const Step& step) {
    constexpr int64_t kWidth = kBlocks * kBlock;
    uint8_t* stored = memory.rows + row * (kBlocks * Format::kBytes);
    float* first = memory.states[0] == nullptr ? nullptr : memory.states[0] + row * kWidth;
    float* second = memory.states[1] == nullptr ? nullptr : memory.states[1] + row * kWidth;
    float rate = step.learning_rate;
    if constexpr (kKind == OptimizerKind::rowwise_adagrad) {
        Block squares = splat(0.0f);
        for (int k = 0; k < kBlocks; ++k) squares = squares + gradient[k] * gradient[k];
        rate = rowwise_rate(memory.states[0] + row, total(squares), kWidth, step);
    }
    const bool rounds = !std::is_same_v<Format, Fp32> && step.stochastic;
    const uint32_t row_word = rounds ? Rounding::of_row(memory.salt, row) : 0;
    for (int k = 0; k < kBlocks; ++k) {
        const Block change = change_of<kKind>(gradient[k], first, second, k * kBlock, kWidth, rate, step);
        // By value: GCC 12 gave all blocks the words of one where they were assigned only if needed.
        const RandomBlock random = rounds ? random_block(row_word, k * kBlock) : RandomBlock{};
        uint8_t* at = stored + k * Format::kBytes;
        Format::store(at, Format::load(at) - change, rounds ? &random : nullptr);
    }
}

template <int kBlocks, typename Rows>
HOTROW_INLINE void add_gradient(const Rows& rows, int64_t i, Block* sums) {
    const float* from = rows.floats(i);
    for (int k = 0; k < kBlocks; ++k) {
        const Block values = load(from + k * kBlock);
        sums[k] = Rows::kWeighted ? sums[k] + splat(rows.coefficient(i)) * values : sums[k] + values;
    }
}

// Bit i: whether lookup from + i is the first one of its row, for i < size.
static __attribute__((noinline)) uint64_t beginnings(const uint64_t* keys, int64_t from, int64_t size) {
    uint64_t bits = from == 0 || row_of(keys[from]) != row_of(keys[from - 1]);
    for (int64_t i = 1; i < size; ++i) {
        bits |= uint64_t{row_of(keys[from + i]) != row_of(keys[from + i - 1])} << i;
    }
    return bits;
}

// Where the lookups end that have the row of lookup i; later: the beginnings after it in [from, to).
HOTROW_INLINE int64_t end_of_row(const SortedLookups& lookups, int64_t i, uint64_t later, int64_t from, int64_t to) {
    if (later != 0) return from + __builtin_ctzll(later);
    while (to < lookups.count && row_of(lookups.keys[to]) == row_of(lookups.keys[i])) ++to;
    return to;
}

// Of a row with more than kChunk lookups.
template <typename Rows>
HOTROW_INLINE void sum_long_row(const SortedLookups& lookups, const Rows& rows, int64_t first, int64_t n,
                                            int64_t width, float* sum, float* spare) {
    const HotRow* hot = lookups.hot_rows;
    const HotRow* const end = hot + lookups.hot_count;
    while (hot < end && hot->first != first) ++hot;
    sum_row(rows.from(first), n, hot < end ? hot : nullptr, width, sum, spare);
}

// Steps the rows that begin within the range. sum, spare: D floats.
template <typename Format, OptimizerKind kKind, int kBlocks, typename Rows>
HOTROW_INLINE void step_range(const TableMemory& memory, const SortedLookups& lookups, const Rows& rows,
                              const Step& step, float* sum, float* spare) {
    Ahead<Format, kBlocks, Rows> ahead(memory, lookups, rows, step);
    for (int64_t from = lookups.first; from < lookups.last; from += kWindow) {
        const int64_t size = smaller(kWindow, lookups.last - from), to = from + size;
        ahead.skip_to(from);
        ahead.reach(from);
        const uint64_t begins = beginnings(lookups.keys, from, size);
        const bool is_end = to == lookups.count || row_of(lookups.keys[to]) != row_of(lookups.keys[to - 1]);
        const uint64_t singles = begins & (begins >> 1 | uint64_t{is_end} << (size - 1));
#pragma GCC unroll 1  // the loop's body is large
        for (const bool is_single : {true, false}) {
            for (uint64_t rest = is_single ? singles : begins & ~singles; rest != 0; rest &= rest - 1) {
                const int bit = __builtin_ctzll(rest);
                const int64_t i = from + bit;
                const uint64_t later = begins & (~uint64_t{1} << bit);
                const int64_t n = is_single ? 1 : end_of_row(lookups, i, later, from, to) - i;
                Block gradient[kBlocks] = {};
                if (n > kChunk) {
                    sum_long_row(lookups, rows, i, n, kBlocks * kBlock, sum, spare);
                    for (int k = 0; k < kBlocks; ++k) gradient[k] = load(sum + k * kBlock);
                } else {
                    for (int64_t j = i; j < i + n; ++j) {
                        ahead.advance();
                        add_gradient<kBlocks>(rows, j, gradient);
                    }
                }
                step_blocks<Format, kKind, kBlocks>(memory, row_of(lookups.keys[i]), gradient, step);
            }
        }
    }
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
