// The greedy search for a row's range, for one instruction set; see csrc/include/hotrow/isa.h for what
// may stand here. A row lies in each lane, so that its sums have the order of its columns.
#include "quantize_common.h"

namespace hotrow::HOTROW_ISA {
namespace {

constexpr float kSteps = 200.0f;  // reference.py: GREEDY_STEPS, GREEDY_KEPT
constexpr float kKept = 168.0f;

// Bias and scale of a range, a row in each lane; unlike in `encode`, a scale that rounds to 0 stays 0.
struct Grid {
    Vector bias, scale, inverse;
};

HOTROW_INLINE Grid grid_of(Vector low, Vector high, float top) {
    Grid grid;
    grid.bias = rounded_to_half(low);
    const Vector range = high - grid.bias;
    const Vector one = Vector{} + 1.0f;
    grid.scale = range == 0.0f ? one : rounded_to_half(range / top);
    grid.inverse = grid.scale == 0.0f ? one : one / grid.scale;
    return grid;
}

HOTROW_INLINE Vector squared_error(const Grid& grid, Vector x, const Codes& codes) {
    const Vector code = shifted_code((x - grid.bias) * grid.inverse, codes) - codes.lowest;
    const Vector error = x - (code * grid.scale + grid.bias);
    return error * error;
}

HOTROW_INLINE Vector square_root(Vector x) {
    for (int lane = 0; lane < kLanes; ++lane) x[lane] = __builtin_sqrtf(x[lane]);
    return x;
}

// The candidates of one step of the greedy search, and their errors.
struct Step {
    Vector raised, lowered;              // the moved ends
    Vector raised_error, lowered_error;  // of (raised, high) and (low, lowered)
};

HOTROW_INLINE Step step_from(const float* columns, int64_t width, Vector low, Vector high, Vector by, float top) {
    Step step{low + by, high - by, Vector{}, Vector{}};
    const Grid raised = grid_of(step.raised, high, top), lowered = grid_of(low, step.lowered, top);
    const Codes codes = codes_up_to(top);
    for (int64_t column = 0; column < width; ++column) {
        Vector x;
        __builtin_memcpy(&x, columns + column * kLanes, sizeof(x));
        step.raised_error += squared_error(raised, x, codes);
        step.lowered_error += squared_error(lowered, x, codes);
    }
    step.raised_error = square_root(step.raised_error);
    step.lowered_error = square_root(step.lowered_error);
    return step;
}

HOTROW_INLINE bool any(Mask mask) {
    int32_t found = 0;
    for (int lane = 0; lane < kLanes; ++lane) found |= mask[lane];
    return found != 0;
}

// reference.py: _narrow, for kLanes rows at once.
HOTROW_INLINE void narrow(const float* columns, int64_t width, float top, Vector& best_low, Vector& best_high) {
    const Vector by = (best_high - best_low) / kSteps, kept = by * kKept;
    Vector low = best_low, high = best_high;
    Vector error = step_from(columns, width, low, high, Vector{}, top).raised_error;
    Vector least = error;
    Mask active = low + kept < high;
    while (any(active)) {
        const Step step = step_from(columns, width, low, high, by, top);
        const Mask is_best = active & (error < step.raised_error) & (error < step.lowered_error) & (error < least);
        least = is_best ? error : least;
        best_low = is_best ? low : best_low;
        best_high = is_best ? high : best_high;
        const Mask raises = step.raised_error < step.lowered_error;
        const Vector next_low = raises ? step.raised : low, next_high = raises ? high : step.lowered;
        error = raises ? step.raised_error : step.lowered_error;
        active &= (next_low != low) | (next_high != high);
        low = next_low;
        high = next_high;
        active &= low + kept < high;
    }
}

// Up to kLanes rows side by side: columns (width, kLanes), the rest of the lanes 0.
HOTROW_INLINE void interleave(const float* rows, int64_t count, int64_t width, float* columns) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
        for (int64_t column = 0; column < width; ++column) {
            columns[column * kLanes + lane] = lane < count ? rows[lane * width + column] : 0.0f;
        }
    }
}

void greedy(const float* rows, int64_t count, int64_t width, int bits, RowRange* ranges, float* columns) {
    for (int64_t first = 0; first < count; first += kLanes) {
        const int64_t size = count - first < kLanes ? count - first : kLanes;
        interleave(rows + first * width, size, width, columns);
        Vector low, high, probe{};
        __builtin_memcpy(&low, columns, sizeof(low));
        high = low;
        for (int64_t column = 0; column < width; ++column) {
            Vector x;
            __builtin_memcpy(&x, columns + column * kLanes, sizeof(x));
            low = x < low ? x : low;
            high = x > high ? x : high;
            probe += x * 0.0f;
        }
        narrow(columns, width, static_cast<float>((1 << bits) - 1), low, high);
        low = probe == 0.0f ? low : probe;  // NaN where an element is NaN or infinite
        for (int64_t lane = 0; lane < size; ++lane) ranges[first + lane] = {low[lane], high[lane]};
    }
}

}  // namespace

extern const QuantizeSearch quantize_search;
const QuantizeSearch quantize_search = {greedy};

}  // namespace hotrow::HOTROW_ISA
