// Row quantisation for one instruction set; see csrc/include/hotrow/isa.h for what may stand here.
#include "hotrow/quantize_rows.h"

#include <cfloat>
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
static_assert(kQuantizeGroup % kLanes == 0);

constexpr float kSteps = 200.0f;       // reference.py: GREEDY_STEPS, GREEDY_KEPT, INT8_EPSILON
constexpr float kKept = 168.0f;
constexpr float kEpsilon = 1e-8f;
constexpr float kRound = 12582912.0f;  // adding it rounds |x| < 2^22 to the nearest integer, ties to even
constexpr int32_t kInfinity = 0x7F800000;

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Mask __attribute__((vector_size(kLanes * 4)));

// float16(x) as a float, to the nearest, ties to even; x is not NaN.
HOTROW_INLINE Vector rounded_to_half(Vector x) {
    const Mask magnitude = (Mask)x & 0x7FFFFFFF;
    const Mask normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1)) & ~0x1FFF;
    const Mask subnormal = (Mask)(((Vector)magnitude + 0.5f) - 0.5f);  // multiples of 2^-24
    const Mask finite = magnitude < 0x38800000 ? subnormal : normal;
    return (Vector)((finite >= 0x47800000 ? Mask{} + kInfinity : finite) | ((Mask)x & ~0x7FFFFFFF));
}

HOTROW_INLINE float rounded_to_half(float x) { return rounded_to_half(x - Vector{})[0]; }  // keeps the sign of 0

// The bits of a float16 whose value is the finite `half`.
HOTROW_INLINE uint16_t half_bits(float half) {
    uint32_t bits;
    __builtin_memcpy(&bits, &half, 4);
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    const uint32_t narrow = magnitude < 0x38800000 ? static_cast<uint32_t>(__builtin_fabsf(half) * 0x1p24f)
                                                   : (magnitude - 0x38000000) >> 13;
    return static_cast<uint16_t>((bits >> 16 & 0x8000) | narrow);
}

void widen_fp16(const uint16_t* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = (from[i] & 0x7FFFu) << 13;
        float value;
        __builtin_memcpy(&value, &bits, 4);
        value *= 0x1p112f;
        uint32_t wide;
        __builtin_memcpy(&wide, &value, 4);
        wide = (wide >= 0x47800000u ? 0x7FC00000u : wide) | (from[i] & 0x8000u) << 16;  // infinity too as NaN
        __builtin_memcpy(to + i, &wide, 4);
    }
}

void widen_bf16(const uint16_t* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t wide = uint32_t(from[i]) << 16;
        __builtin_memcpy(to + i, &wide, 4);
    }
}

// Minima and maxima over columns 8 apart come first: FBGEMM's order, which decides the sign of a
// smallest element of zero. `probe` is NaN if an element is NaN or infinite.
HOTROW_INLINE RowRange range_of(const float* row, int64_t width) {
    typedef float Eight __attribute__((vector_size(32)));
    Eight lows = Eight{} + FLT_MAX, highs = Eight{} - FLT_MAX, probes{};
    int64_t column = 0;
    for (; column + 8 <= width; column += 8) {
        Eight x;
        __builtin_memcpy(&x, row + column, sizeof(x));
        lows = lows < x ? lows : x;
        highs = highs > x ? highs : x;
        probes += x * 0.0f;
    }
    float low = FLT_MAX, high = -FLT_MAX, probe = 0.0f;
    for (int lane = 0; lane < 8; ++lane) {
        low = lows[lane] < low ? lows[lane] : low;
        high = highs[lane] > high ? highs[lane] : high;
        probe += probes[lane];
    }
    for (; column < width; ++column) {
        low = row[column] < low ? row[column] : low;
        high = row[column] > high ? row[column] : high;
        probe += row[column] * 0.0f;
    }
    return probe == 0.0f ? RowRange{low, high} : RowRange{__builtin_nanf(""), __builtin_nanf("")};
}

void minmax(const float* rows, int64_t count, int64_t width, RowRange* ranges) {
    for (int64_t row = 0; row < count; ++row) ranges[row] = range_of(rows + row * width, width);
}

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

HOTROW_INLINE Vector squared_error(const Grid& grid, Vector x, float top) {
    Vector code = (x - grid.bias) * grid.inverse;
    code = code < top ? code : Vector{} + top;
    code = code > 0.0f ? code : Vector{};
    code = (code + kRound) - kRound;
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
    for (int64_t column = 0; column < width; ++column) {
        Vector x;
        __builtin_memcpy(&x, columns + column * kLanes, sizeof(x));
        step.raised_error += squared_error(raised, x, top);
        step.lowered_error += squared_error(lowered, x, top);
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
        low += probe;  // NaN where an element is NaN or infinite
        for (int64_t lane = 0; lane < size; ++lane) ranges[first + lane] = {low[lane], high[lane]};
    }
}

// What one row is stored with.
struct Parameters {
    float scale, bias, inverse;
};

HOTROW_INLINE Parameters parameters_of(const RowRange& ends, int bits) {
    const float top = static_cast<float>((1 << bits) - 1);
    if (bits == 8) {
        const float range = ends.high - ends.low;
        return {range / top, ends.low, top / (range + kEpsilon)};
    }
    const float bias = rounded_to_half(ends.low);
    const float scale = rounded_to_half((ends.high - bias) / top);
    return scale == 0.0f ? Parameters{1.0f, bias, 1.0f} : Parameters{scale, bias, 1.0f / scale};
}

HOTROW_INLINE bool is_finite(float x) { return x * 0.0f == 0.0f; }

HOTROW_INLINE void write_codes(const float* row, int64_t width, const Parameters& with, float top, uint8_t* codes) {
    typedef uint8_t Bytes __attribute__((vector_size(kLanes)));
    int64_t column = 0;
    for (; column + kLanes <= width; column += kLanes) {
        Vector x;
        __builtin_memcpy(&x, row + column, sizeof(x));
        Vector code = (x - with.bias) * with.inverse;
        code = code < top ? code : Vector{} + top;
        code = code > 0.0f ? code : Vector{};
        const Bytes narrow = __builtin_convertvector((Mask)(code + kRound) & 0xFF, Bytes);
        __builtin_memcpy(codes + column, &narrow, kLanes);
    }
    for (; column < width; ++column) {
        float code = (row[column] - with.bias) * with.inverse;
        code = code < top ? code : top;
        code = code > 0.0f ? code : 0.0f;
        codes[column] = static_cast<uint8_t>(static_cast<int>((code + kRound) - kRound));
    }
}

// Packs codes (width, then zeros up to a multiple of 8) of 4 or 2 bits, 8 at a time.
HOTROW_INLINE void pack(const uint8_t* codes, int64_t width, int bits, uint8_t* out) {
    const int64_t bytes = (width * bits + 7) / 8;
    for (int64_t at = 0; at < bytes; at += bits, codes += 8) {
        uint64_t word;
        __builtin_memcpy(&word, codes, 8);
        if (bits == 4) {
            word = (word | word >> 4) & 0x00FF00FF00FF00FF;
            word = (word | word >> 8) & 0x0000FFFF0000FFFF;
            word = word | word >> 16;
        } else {
            word = (word | word >> 6) & 0x000F000F000F000F;
            word = (word | word >> 12) & 0x000000FF000000FF;
            word = word | word >> 24;
        }
        __builtin_memcpy(out + at, &word, bytes - at < bits ? bytes - at : bits);
    }
}

template <int kBits>
int64_t encode_as(const float* rows, int64_t count, int64_t width, const RowRange* ranges, uint8_t* codes,
                  uint8_t* out) {
    const int64_t payload = (width * kBits + 7) / 8;
    for (int64_t i = 0; i < 8; ++i) codes[width + i] = 0;
    for (int64_t row = 0; row < count; ++row, rows += width) {
        const Parameters with = parameters_of(ranges[row], kBits);
        if (!is_finite(with.scale) || !is_finite(with.bias)) return row;
        write_codes(rows, width, with, (1 << kBits) - 1, kBits == 8 ? out : codes);
        if (kBits == 8) {
            __builtin_memcpy(out + payload, &with.scale, 4);
            __builtin_memcpy(out + payload + 4, &with.bias, 4);
            out += payload + 8;
        } else {
            pack(codes, width, kBits, out);
            const uint16_t halves[2] = {half_bits(with.scale), half_bits(with.bias)};
            __builtin_memcpy(out + payload, halves, 4);
            out += payload + 4;
        }
    }
    return -1;
}

int64_t encode(const float* rows, int64_t count, int64_t width, int bits, const RowRange* ranges, uint8_t* scratch,
               uint8_t* out) {
    return bits == 8   ? encode_as<8>(rows, count, width, ranges, scratch, out)
           : bits == 4 ? encode_as<4>(rows, count, width, ranges, scratch, out)
                       : encode_as<2>(rows, count, width, ranges, scratch, out);
}

}  // namespace

extern const QuantizeKernels quantize_kernels;
const QuantizeKernels quantize_kernels = {widen_fp16, widen_bf16, minmax, greedy, encode};

}  // namespace hotrow::HOTROW_ISA
