// Row quantisation for one instruction set; see csrc/include/hotrow/isa.h for what may stand here.
#include "quantize_common.h"

#include <cfloat>

namespace hotrow::HOTROW_ISA {
namespace {

constexpr float kEpsilon = 1e-8f;  // reference.py: INT8_EPSILON
constexpr int kBlock = 16;         // columns encoded together
static_assert(kBlock % kLanes == 0);

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
    constexpr int kNarrow = kLanes < 8 ? kLanes : 8, kParts = 8 / kNarrow;
    typedef float Part __attribute__((vector_size(kNarrow * 4)));
    Part lows[kParts], highs[kParts], probes[kParts];
    for (int part = 0; part < kParts; ++part) {
        lows[part] = Part{} + FLT_MAX;
        highs[part] = Part{} - FLT_MAX;
        probes[part] = Part{};
    }
    int64_t column = 0;
    for (; column + 8 <= width; column += 8) {
        for (int part = 0; part < kParts; ++part) {
            Part x;
            __builtin_memcpy(&x, row + column + part * kNarrow, sizeof(x));
            lows[part] = lows[part] < x ? lows[part] : x;
            highs[part] = highs[part] > x ? highs[part] : x;
            probes[part] += x * 0.0f;
        }
    }
    float low = FLT_MAX, high = -FLT_MAX, probe = 0.0f;
    for (int lane = 0; lane < 8; ++lane) {
        const int part = lane / kNarrow, at = lane % kNarrow;
        low = lows[part][at] < low ? lows[part][at] : low;
        high = highs[part][at] > high ? highs[part][at] : high;
        probe += probes[part][at];
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

// Codes of kBlock columns, one in each byte.
HOTROW_INLINE void write_block(const float* from, const Parameters& with, const Codes& codes, uint8_t* to) {
    uint32_t words[kBlock];
    for (int first = 0; first < kBlock; first += kLanes) {
        Vector x;
        __builtin_memcpy(&x, from + first, sizeof(x));
        x = shifted_code((x - with.bias) * with.inverse, codes);
        __builtin_memcpy(words + first, &x, sizeof(x));
    }
    for (int column = 0; column < kBlock; ++column) to[column] = static_cast<uint8_t>(words[column]);
}

HOTROW_INLINE void write_codes(const float* row, int64_t width, const Parameters& with, float top, uint8_t* to) {
    const Codes codes = codes_up_to(top);
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) write_block(row + column, with, codes, to + column);
    if (column == width) return;
    float padded[kBlock] = {};
    uint8_t block[kBlock];
    for (int64_t i = column; i < width; ++i) padded[i - column] = row[i];
    write_block(padded, with, codes, block);
    for (int64_t i = column; i < width; ++i) to[i] = block[i - column];
}

// The lowest kBits of each byte of `word`, side by side.
template <int kBits>
HOTROW_INLINE uint64_t squeezed(uint64_t word) {
    if (kBits == 4) {
        word = (word | word >> 4) & 0x00FF00FF00FF00FF;
        word = (word | word >> 8) & 0x0000FFFF0000FFFF;
        return word | word >> 16;
    }
    word = (word | word >> 6) & 0x000F000F000F000F;
    word = (word | word >> 12) & 0x000000FF000000FF;
    return word | word >> 24;
}

// Packs codes (width, then zeros up to a multiple of 8) of 4 or 2 bits, 8 at a time.
template <int kBits>
HOTROW_INLINE void pack(const uint8_t* codes, int64_t width, uint8_t* out) {
    for (; width > 0; width -= 8, codes += 8, out += kBits) {
        uint64_t word;
        __builtin_memcpy(&word, codes, 8);
        word = squeezed<kBits>(word);
        if (width >= 8) {
            __builtin_memcpy(out, &word, kBits);
        } else {
            __builtin_memcpy(out, &word, (width * kBits + 7) / 8);
        }
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
            pack<kBits>(codes, width, out);
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
const QuantizeKernels quantize_kernels = {widen_fp16, widen_bf16, minmax, encode};

}  // namespace hotrow::HOTROW_ISA
