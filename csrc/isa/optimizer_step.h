// What the optimizers do to a block of 16 columns of a row and its states.
#pragma once

#include "hotrow/row_kernels.h"

#include "row_io.h"

namespace hotrow::HOTROW_ISA {
namespace {

HOTROW_INLINE float sum_of_squares(const float* padded, int64_t width) {
    Block squares = splat(0.0f);
    for (int64_t column = 0; column < width; column += kBlock) {
        const Block x = load(padded + column);
        squares = squares + x * x;
    }
    return total(squares);
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

// What is to be subtracted from a block of a row, for any optimizer but LAMB. first, second: the row's states of
// D numbers; `rate` already holds row-wise Adagrad's division.
template <OptimizerKind kKind>
HOTROW_INLINE Block change_of(const Block& gradient, float* first, float* second, int64_t column, int64_t width,
                              float rate, const Step& step) {
    if constexpr (kKind == OptimizerKind::momentum) {
        const Block momentum = splat(step.beta1) * load_state(first, column, width) + gradient;
        store_state(first, column, width, momentum);
        return splat(rate) * momentum;
    } else if constexpr (kKind == OptimizerKind::adagrad) {
        const Block sums = load_state(first, column, width) + gradient * gradient;
        store_state(first, column, width, sums);
        return splat(rate) * gradient / (root(sums) + splat(step.epsilon));
    } else if constexpr (kKind == OptimizerKind::adam) {
        return splat(rate) * adam_step(first, second, gradient, column, width, step);
    } else {
        return splat(rate) * gradient;
    }
}

// Adds the mean square of a row's gradient to its accumulator, and returns the rate that follows.
HOTROW_INLINE float rowwise_rate(float* sum, float squares, int64_t width, const Step& step) {
    *sum += squares / static_cast<float>(width);
    return step.learning_rate / (__builtin_sqrtf(*sum) + step.epsilon);
}

HOTROW_INLINE void prefetch_state(const TableMemory& memory, int64_t row, int64_t width, const Step& step) {
    if (step.kind == OptimizerKind::sgd) return;
    if (step.kind == OptimizerKind::rowwise_adagrad) return prefetch_line(memory.states[0] + row);
    prefetch_bytes(reinterpret_cast<const uint8_t*>(memory.states[0] + row * width), width * 4);
    if (step.kind == OptimizerKind::adam || step.kind == OptimizerKind::lamb) {
        prefetch_bytes(reinterpret_cast<const uint8_t*>(memory.states[1] + row * width), width * 4);
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

}  // namespace
}  // namespace hotrow::HOTROW_ISA
