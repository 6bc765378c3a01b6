// The optimizer's step for each row that a batch touched.
#include "hotrow/row_kernels.h"

#include <type_traits>

#include "gradient_rows.h"
#include "optimizer_step.h"
#include "step_blocks.h"

namespace hotrow::HOTROW_ISA {
namespace {

// The four rows of floats that a step works on; zero beyond D.
struct Scratch {
    float* gradient;
    float* row;
    float* step;
    float* spare;
};

template <typename Format>
HOTROW_INLINE void read_padded(const uint8_t* from, int64_t width, float* to) {
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) {
        store(to + column, Format::load(from + bytes_of<Format>(column)));
    }
    if (column < width) store(to + column, load_tail<Format>(from + bytes_of<Format>(column), width - column));
}

template <typename Format>
HOTROW_INLINE void write_padded(uint8_t* to, const float* from, int64_t width, const uint32_t* row_word) {
    for (int64_t column = 0; column < width; column += kBlock) {
        const RandomBlock random = row_word != nullptr ? random_block(*row_word, column) : RandomBlock{};
        const RandomBlock* words = row_word != nullptr ? &random : nullptr;
        uint8_t* at = to + bytes_of<Format>(column);
        if (column + kBlock <= width) {
            Format::store(at, load(from + column), words);
        } else {
            store_tail<Format>(at, load(from + column), width - column, words);
        }
    }
}

HOTROW_INLINE void clip(float* gradient, int64_t width, const Step& step) {
    if (step.clip_value != __builtin_inff()) {
        for (int64_t column = 0; column < width; column += kBlock) {
            store(gradient + column, clamp(load(gradient + column), step.clip_value));
        }
    }
    if (step.clip_norm != __builtin_inff()) {
        const float norm = __builtin_sqrtf(sum_of_squares(gradient, width));
        if (norm > step.clip_norm) {
            const Block factor = splat(step.clip_norm / norm);
            for (int64_t column = 0; column < width; column += kBlock) {
                store(gradient + column, load(gradient + column) * factor);
            }
        }
    }
}

HOTROW_INLINE void decay(const Scratch& at, int64_t width, const Step& step) {
    if (step.decay == 0.0f || (step.decoupled && step.kind == OptimizerKind::lamb)) return;
    for (int64_t column = 0; column < width; column += kBlock) {
        const Block row = load(at.row + column);
        if (step.decoupled) {
            store(at.row + column, row * splat(1.0f - step.learning_rate * step.decay));
        } else {
            store(at.gradient + column, load(at.gradient + column) + splat(step.decay) * row);
        }
    }
}

// Fills at.step with what is to be subtracted from the row.
HOTROW_INLINE void fill_step(const Scratch& at, float* first, float* second, int64_t row, int64_t width,
                             const Step& step) {
    const int64_t place = row * width;
    float rate = step.learning_rate;
    if (step.kind == OptimizerKind::rowwise_adagrad) {
        rate = rowwise_rate(first + row, sum_of_squares(at.gradient, width), width, step);
    }
    for (int64_t column = 0; column < width; column += kBlock) {
        const Block g = load(at.gradient + column);
        Block change = splat(rate) * g;
        if (step.kind == OptimizerKind::momentum) {
            const Block momentum = splat(step.beta1) * load_state(first + place, column, width) + g;
            store_state(first + place, column, width, momentum);
            change = splat(rate) * momentum;
        } else if (step.kind == OptimizerKind::adagrad) {
            const Block sums = load_state(first + place, column, width) + g * g;
            store_state(first + place, column, width, sums);
            change = change / (root(sums) + splat(step.epsilon));
        } else if (step.kind == OptimizerKind::adam || step.kind == OptimizerKind::lamb) {
            change = adam_step(first + place, second + place, g, column, width, step);
            if (step.kind == OptimizerKind::adam) change = splat(rate) * change;
        }
        store(at.step + column, change);
    }
    for (int64_t column = width; column < round_up(width); ++column) at.step[column] = 0.0f;
}

// LAMB's second half: decoupled decay, then the ratio of the row's norm to the step's.
HOTROW_INLINE void scale_lamb(const Scratch& at, int64_t width, const Step& step) {
    if (step.decoupled && step.decay != 0.0f) {
        for (int64_t column = 0; column < width; column += kBlock) {
            store(at.step + column, load(at.step + column) + splat(step.decay) * load(at.row + column));
        }
    }
    const float row_norm = __builtin_sqrtf(sum_of_squares(at.row, width));
    const float step_norm = __builtin_sqrtf(sum_of_squares(at.step, width));
    const float ratio = row_norm > 0.0f && step_norm > 0.0f ? row_norm / step_norm : 1.0f;
    const Block rate = splat(step.learning_rate * ratio);
    for (int64_t column = 0; column < width; column += kBlock) {
        store(at.step + column, rate * load(at.step + column));
    }
}

template <typename Format>
HOTROW_INLINE void step_row(const TableMemory& memory, const TableSpec& spec, int64_t row, const Scratch& at,
                            const Step& step) {
    const int64_t width = spec.width;
    uint8_t* stored = memory.rows + row * spec.row_bytes;
    read_padded<Format>(stored, width, at.row);
    clip(at.gradient, width, step);
    decay(at, width, step);
    fill_step(at, memory.states[0], memory.states[1], row, width, step);
    if (step.kind == OptimizerKind::lamb) scale_lamb(at, width, step);
    for (int64_t column = 0; column < width; column += kBlock) {
        store(at.row + column, load(at.row + column) - load(at.step + column));
    }
    const uint32_t word = Rounding::of_row(memory.salt, row);
    const bool random = step.stochastic && spec.format != RowFormat::fp32;
    write_padded<Format>(stored, at.row, width, random ? &word : nullptr);
}

// Any optimizer but LAMB, without decay and clipping: the row and its states are read and written once.
template <typename Format, OptimizerKind kKind>
HOTROW_INLINE void step_in_place(const TableMemory& memory, int64_t row, int64_t width, const float* gradient,
                                 const Step& step) {
    uint8_t* stored = memory.rows + row * bytes_of<Format>(width);
    float* first = memory.states[0] == nullptr ? nullptr : memory.states[0] + row * width;
    float* second = memory.states[1] == nullptr ? nullptr : memory.states[1] + row * width;
    float rate = step.learning_rate;
    if constexpr (kKind == OptimizerKind::rowwise_adagrad) {
        rate = rowwise_rate(memory.states[0] + row, sum_of_squares(gradient, width), width, step);
    }
    const uint32_t row_word = Rounding::of_row(memory.salt, row);
    for (int64_t column = 0; column < width; column += kBlock) {
        uint8_t* at = stored + bytes_of<Format>(column);
        const int64_t columns = smaller(kBlock, width - column);
        const bool rounds = !std::is_same_v<Format, Fp32> && step.stochastic;
        const RandomBlock random = rounds ? random_block(row_word, column) : RandomBlock{};
        const RandomBlock* words = rounds ? &random : nullptr;
        const Block before = columns == kBlock ? Format::load(at) : load_tail<Format>(at, columns);
        const Block after =
            before - change_of<kKind>(load(gradient + column), first, second, column, width, rate, step);
        if (columns == kBlock) {
            Format::store(at, after, words);
        } else {
            store_tail<Format>(at, after, columns, words);
        }
    }
}

// Calls visit(row, first, count, hot) for each row that begins within the range, prefetching ahead.
template <typename Rows, typename Visit>
HOTROW_INLINE void for_each_row(const TableSpec& spec, const TableMemory& memory, const SortedLookups& lookups,
                                const Rows& rows, const Step& step, int64_t width, Visit visit) {
    const uint64_t* keys = lookups.keys;
    const int64_t ahead = 2 * rows_ahead(spec.row_bytes);
    int64_t i = lookups.first, fetched = i;
    while (i > 0 && i < lookups.last && row_of(keys[i]) == row_of(keys[i - 1])) ++i;
    const HotRow* hot = lookups.hot_rows;
    const HotRow* hot_end = hot + lookups.hot_count;
    while (i < lookups.last) {
        const int64_t until = smaller(i + ahead, lookups.count);
        for (fetched = fetched < i ? i : fetched; fetched < until; ++fetched) {
            const int64_t row = row_of(keys[fetched]);
            prefetch_bytes(reinterpret_cast<const uint8_t*>(rows.floats(fetched)), width * 4);
            if (fetched > 0 && row == row_of(keys[fetched - 1])) continue;
            prefetch_bytes(memory.rows + row * spec.row_bytes, spec.row_bytes);
            prefetch_state(memory, row, width, step);
        }
        const int64_t row = row_of(keys[i]);
        while (hot < hot_end && hot->first < i) ++hot;
        const bool is_hot = hot < hot_end && hot->first == i;
        int64_t next = is_hot ? i + hot->count : i + 1;
        while (next < lookups.count && row_of(keys[next]) == row) ++next;
        visit(row, i, next - i, is_hot ? hot : nullptr);
        i = next;
    }
}

// As step_in_place does; the usual widths have loops of their own.
template <typename Format, OptimizerKind kKind, typename Rows>
HOTROW_INLINE void update_plain(const TableSpec& spec, const TableMemory& memory, const SortedLookups& lookups,
                                const Rows& rows, const Step& step, const Scratch& at) {
    const int64_t width = spec.width;
    switch (width) {
        case 16: return step_range<Format, kKind, 1>(memory, lookups, rows, step, at.gradient, at.spare);
        case 32: return step_range<Format, kKind, 2>(memory, lookups, rows, step, at.gradient, at.spare);
        case 64: return step_range<Format, kKind, 4>(memory, lookups, rows, step, at.gradient, at.spare);
        case 128: return step_range<Format, kKind, 8>(memory, lookups, rows, step, at.gradient, at.spare);
        default: break;
    }
    for_each_row(spec, memory, lookups, rows, step, width,
                 [&](int64_t row, int64_t first, int64_t n, const HotRow* hot) __attribute__((always_inline)) {
                     sum_row(rows.from(first), n, hot, width, at.gradient, at.spare);
                     step_in_place<Format, kKind>(memory, row, width, at.gradient, step);
                 });
}

template <typename Rows>
HOTROW_INLINE void update_with(const TableSpec& spec, const TableMemory& memory, const SortedLookups& lookups,
                               const Rows& rows, const Step& step, float* scratch) {
    const int64_t padded = round_up(spec.width);
    const Scratch at{scratch, scratch + padded, scratch + 2 * padded, scratch + 3 * padded};
    for (int64_t i = 0; i < 4 * padded; ++i) scratch[i] = 0.0f;
    const bool plain = step.decay == 0.0f && step.clip_value == __builtin_inff() &&
                       step.clip_norm == __builtin_inff() && step.kind != OptimizerKind::lamb;
    if (plain) {
        return with_kind(step.kind, [&](auto kind) __attribute__((always_inline)) {
            constexpr OptimizerKind kKind = decltype(kind)::value;
            switch (spec.format) {
                case RowFormat::fp16: return update_plain<Fp16, kKind>(spec, memory, lookups, rows, step, at);
                case RowFormat::bf16: return update_plain<Bf16, kKind>(spec, memory, lookups, rows, step, at);
                default: return update_plain<Fp32, kKind>(spec, memory, lookups, rows, step, at);
            }
        });
    }
    for_each_row(spec, memory, lookups, rows, step, spec.width,
                 [&](int64_t row, int64_t first, int64_t n, const HotRow* hot) __attribute__((always_inline)) {
                     sum_row(rows.from(first), n, hot, spec.width, at.gradient, at.spare);
                     switch (spec.format) {
                         case RowFormat::fp16: return step_row<Fp16>(memory, spec, row, at, step);
                         case RowFormat::bf16: return step_row<Bf16>(memory, spec, row, at, step);
                         default: return step_row<Fp32>(memory, spec, row, at, step);
                     }
                 });
}

void update_rows(const TableSpec& spec, const TableMemory& memory, const SortedLookups& lookups,
                 const GradientRows& gradients, const Step& step, float* scratch) {
    if (gradients.rows == nullptr) {
        update_with(spec, memory, lookups, InMatrix{lookups.keys, gradients.base, gradients.stride}, step, scratch);
    } else {
        update_with(spec, memory, lookups, Anywhere{lookups.keys, gradients.rows, gradients.factors}, step, scratch);
    }
}

void sum_gradients(const uint64_t* keys, int64_t n, int64_t width, const GradientRows& gradients, float* sum) {
    if (gradients.rows == nullptr) {
        sum_chunk(InMatrix{keys, gradients.base, gradients.stride}, n, width, sum);
    } else {
        sum_chunk(Anywhere{keys, gradients.rows, gradients.factors}, n, width, sum);
    }
}

}  // namespace

extern const UpdateKernels update_table;
const UpdateKernels update_table = {update_rows, sum_gradients};

}  // namespace hotrow::HOTROW_ISA
