// The optimizer's step for each row that a batch touched.
#include "hotrow/row_kernels.h"

#include <type_traits>

#include "sum_rows.h"

namespace hotrow::HOTROW_ISA {
namespace {

HOTROW_INLINE int64_t row_of(uint64_t key) { return static_cast<int64_t>(key >> 32); }
HOTROW_INLINE int64_t number_of(uint64_t key) { return static_cast<int64_t>(key & 0xFFFFFFFFu); }

// Gradient rows side by side in one matrix.
struct InMatrix {
    const uint64_t* keys;
    const float* base;
    int64_t stride;

    HOTROW_MEMBER const float* floats(int64_t i) const { return base + number_of(keys[i]) * stride; }
    HOTROW_MEMBER const uint8_t* row(int64_t i) const { return reinterpret_cast<const uint8_t*>(floats(i)); }
    HOTROW_MEMBER float coefficient(int64_t) const { return 1.0f; }
    HOTROW_MEMBER InMatrix from(int64_t first) const { return {keys + first, base, stride}; }
    static constexpr bool kWeighted = false;
};

// Gradient rows anywhere, with a factor each.
struct Anywhere {
    const uint64_t* keys;
    const float* const* rows;
    const float* factors;

    HOTROW_MEMBER const float* floats(int64_t i) const { return rows[number_of(keys[i])]; }
    HOTROW_MEMBER const uint8_t* row(int64_t i) const { return reinterpret_cast<const uint8_t*>(floats(i)); }
    HOTROW_MEMBER float coefficient(int64_t i) const { return factors[number_of(keys[i])]; }
    HOTROW_MEMBER Anywhere from(int64_t first) const { return {keys + first, rows, factors}; }
    static constexpr bool kWeighted = true;
};

template <typename Rows>
HOTROW_INLINE void sum_chunk(const Rows& rows, int64_t n, int64_t width, float* sum) {
    sum_rows<Fp32, Rows::kWeighted>(rows, n, width, false, sum);
}

HOTROW_INLINE void add_row(float* sum, const float* row, int64_t width) {
    for (int64_t column = 0; column < width; ++column) sum[column] += row[column];
}

// Gradient of one row: the sum of its chunks' sums, made here or, for a hot row, before.
template <typename Rows>
HOTROW_INLINE void sum_row(const Rows& rows, int64_t n, const HotRow* hot, int64_t width, float* sum, float* spare) {
    if (hot != nullptr) {
        for (int64_t column = 0; column < width; ++column) sum[column] = hot->sums[column];
        for (int64_t chunk = 1; chunk * kChunk < n; ++chunk) add_row(sum, hot->sums + chunk * width, width);
        return;
    }
    sum_chunk(rows, smaller(n, kChunk), width, sum);
    for (int64_t first = kChunk; first < n; first += kChunk) {
        sum_chunk(rows.from(first), smaller(n - first, kChunk), width, spare);
        add_row(sum, spare, width);
    }
}

// The four rows of floats that a step works on; zero beyond D.
struct Scratch {
    float* gradient;
    float* row;
    float* step;
    float* spare;
};

HOTROW_INLINE float sum_of_squares(const float* padded, int64_t width) {
    Block squares = splat(0.0f);
    for (int64_t column = 0; column < width; column += kBlock) {
        const Block x = load(padded + column);
        squares = squares + x * x;
    }
    return total(squares);
}

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
    RandomBlock random;
    for (int64_t column = 0; column < width; column += kBlock) {
        const RandomBlock* words = nullptr;
        if (row_word != nullptr) random = random_block(*row_word, column), words = &random;
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

// A block of a row of states, whose last columns may be fewer than 16.
HOTROW_INLINE Block load_state(const float* state, int64_t column, int64_t width) {
    return column + kBlock <= width ? load(state + column) : load_float_tail(state + column, width - column);
}

HOTROW_INLINE void store_state(float* state, int64_t column, int64_t width, const Block& block) {
    if (column + kBlock <= width) {
        store(state + column, block);
    } else {
        store_float_tail(state + column, block, width - column);
    }
}

// Adam's step before the learning rate: (m / c1) / (sqrt(v / c2) + eps).
HOTROW_INLINE Block adam_step(float* mean, float* square, const Block& gradient, int64_t column, int64_t width,
                              const Step& step) {
    const Block m = splat(step.beta1) * load_state(mean, column, width) + splat(step.rest1) * gradient;
    const Block v =
        splat(step.beta2) * load_state(square, column, width) + splat(step.rest2) * (gradient * gradient);
    store_state(mean, column, width, m);
    store_state(square, column, width, v);
    return (m / splat(step.correction1)) / (root(v / splat(step.correction2)) + splat(step.epsilon));
}

// Fills at.step with what is to be subtracted from the row.
HOTROW_INLINE void fill_step(const Scratch& at, float* first, float* second, int64_t row, int64_t width,
                             const Step& step) {
    const int64_t place = row * width;
    float rate = step.learning_rate;
    if (step.kind == OptimizerKind::rowwise_adagrad) {
        first[row] += sum_of_squares(at.gradient, width) / static_cast<float>(width);
        rate = step.learning_rate / (__builtin_sqrtf(first[row]) + step.epsilon);
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
        float* sum = memory.states[0] + row;
        *sum += sum_of_squares(gradient, width) / static_cast<float>(width);
        rate = step.learning_rate / (__builtin_sqrtf(*sum) + step.epsilon);
    }
    const uint32_t row_word = Rounding::of_row(memory.salt, row);
    const auto change_of = [&](int64_t column) __attribute__((always_inline)) {
        const Block g = load(gradient + column);
        if constexpr (kKind == OptimizerKind::momentum) {
            const Block momentum = splat(step.beta1) * load_state(first, column, width) + g;
            store_state(first, column, width, momentum);
            return splat(rate) * momentum;
        } else if constexpr (kKind == OptimizerKind::adagrad) {
            const Block sums = load_state(first, column, width) + g * g;
            store_state(first, column, width, sums);
            return splat(rate) * g / (root(sums) + splat(step.epsilon));
        } else if constexpr (kKind == OptimizerKind::adam) {
            return splat(rate) * adam_step(first, second, g, column, width, step);
        } else {
            return splat(rate) * g;
        }
    };
    for (int64_t column = 0; column < width; column += kBlock) {
        uint8_t* at = stored + bytes_of<Format>(column);
        const int64_t columns = smaller(kBlock, width - column);
        RandomBlock random;
        const bool rounds = !std::is_same_v<Format, Fp32> && step.stochastic;
        if (rounds) random = random_block(row_word, column);
        const RandomBlock* words = rounds ? &random : nullptr;
        const Block before = columns == kBlock ? Format::load(at) : load_tail<Format>(at, columns);
        const Block after = before - change_of(column);
        if (columns == kBlock) {
            Format::store(at, after, words);
        } else {
            store_tail<Format>(at, after, columns, words);
        }
    }
}

HOTROW_INLINE void prefetch_state(const TableMemory& memory, int64_t row, int64_t width, const Step& step) {
    if (step.kind == OptimizerKind::sgd) return;
    if (step.kind == OptimizerKind::rowwise_adagrad) return prefetch_line(memory.states[0] + row);
    prefetch_bytes(reinterpret_cast<const uint8_t*>(memory.states[0] + row * width), width * 4);
    if (step.kind == OptimizerKind::adam || step.kind == OptimizerKind::lamb) {
        prefetch_bytes(reinterpret_cast<const uint8_t*>(memory.states[1] + row * width), width * 4);
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

template <OptimizerKind kKind>
struct Kind {
    static constexpr OptimizerKind value = kKind;
};

// Calls run(kind) with the optimizer's kind as a constant; LAMB has no run of its own.
template <typename Run>
HOTROW_INLINE void with_kind(OptimizerKind kind, Run run) {
    switch (kind) {
        case OptimizerKind::momentum: return run(Kind<OptimizerKind::momentum>{});
        case OptimizerKind::rowwise_adagrad: return run(Kind<OptimizerKind::rowwise_adagrad>{});
        case OptimizerKind::adagrad: return run(Kind<OptimizerKind::adagrad>{});
        case OptimizerKind::adam: return run(Kind<OptimizerKind::adam>{});
        default: return run(Kind<OptimizerKind::sgd>{});
    }
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
            const auto run = [&](auto format, int64_t width) __attribute__((always_inline)) {
                for_each_row(
                    spec, memory, lookups, rows, step, width,
                    [&](int64_t row, int64_t first, int64_t n, const HotRow* hot) __attribute__((always_inline)) {
                        sum_row(rows.from(first), n, hot, width, at.gradient, at.spare);
                        step_in_place<decltype(format), decltype(kind)::value>(memory, row, width, at.gradient, step);
                    });
            };
            if (spec.format == RowFormat::fp16) return run(Fp16{}, spec.width);
            if (spec.format == RowFormat::bf16) return run(Bf16{}, spec.width);
            switch (spec.width) {  // the loops over the columns of the usual widths are unrolled
                case 16: return run(Fp32{}, 16);
                case 32: return run(Fp32{}, 32);
                case 64: return run(Fp32{}, 64);
                case 128: return run(Fp32{}, 128);
                default: return run(Fp32{}, spec.width);
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
