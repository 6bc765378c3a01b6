// Reading 16 columns of a stored row as float32, and writing them back.
//
// Each format is a type with `kBytes` bytes for 16 columns (quantised: of codes), `load`, and for
// formats that are trained `store`. Tails of fewer columns go through padded copies.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "block.h"
#include "hotrow/layout.h"

namespace hotrow::HOTROW_ISA {
namespace {

HOTROW_INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}

HOTROW_INLINE float float_of(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}

HOTROW_INLINE uint32_t mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

// Where the random bits of stochastic rounding come from (see rounding.py); off: to nearest even.
struct Rounding {
    bool stochastic;
    uint32_t salt;

    HOTROW_INLINE uint32_t of_row(uint32_t salt, int64_t row) {
        return mix(static_cast<uint32_t>(row) ^ mix(static_cast<uint32_t>(row >> 32) ^ salt));
    }
};

struct RandomBlock {
    Words part[kParts];
};

HOTROW_INLINE Words mix(Words x) {
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

HOTROW_INLINE RandomBlock random_block(uint32_t row_word, int64_t column) {
    RandomBlock random;
    for (int part = 0; part < kParts; ++part) {
        Words word;
        for (int lane = 0; lane < kLanes; ++lane) word[lane] = static_cast<uint32_t>(part * kLanes + lane);
        random.part[part] = mix(row_word + (word + static_cast<uint32_t>(column)) * 0x9E3779B9u);
    }
    return random;
}

typedef int32_t Integers __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));

struct Fp32 {
    static constexpr int kBytes = 64;
    static constexpr bool kQuantised = false;
    HOTROW_INLINE Block load(const uint8_t* from) { return HOTROW_ISA::load(reinterpret_cast<const float*>(from)); }
    HOTROW_INLINE void store(uint8_t* to, const Block& block, const RandomBlock*) {
        HOTROW_ISA::store(reinterpret_cast<float*>(to), block);
    }
};

struct Bf16 {
    static constexpr int kBytes = 32;
    static constexpr bool kQuantised = false;
    HOTROW_INLINE Block load(const uint8_t* from) {
        uint16_t halves[kBlock];
        uint32_t bits[kBlock];
        __builtin_memcpy(halves, from, sizeof(halves));
        for (int i = 0; i < kBlock; ++i) bits[i] = static_cast<uint32_t>(halves[i]) << 16;
        Block block;
        __builtin_memcpy(&block, bits, sizeof(block));
        return block;
    }
    HOTROW_INLINE void store(uint8_t* to, const Block& block, const RandomBlock* random) {
        for (int part = 0; part < kParts; ++part) {
            const Words bits = (Words)block.part[part];
            const Words up = random == nullptr ? 0x7FFFu + ((bits >> 16) & 1) : random->part[part] >> 16;
            const Words rounded = (bits & 0x7F800000u) == 0x7F800000u ? bits : bits + up;
            const Words quiet = (bits & 0x7FFFFFFFu) > 0x7F800000u ? Words{} + 0x40u : Words{};  // NaN stays NaN
            const Halves halves = __builtin_convertvector((rounded >> 16) | quiet, Halves);
            __builtin_memcpy(to + part * sizeof(halves), &halves, sizeof(halves));
        }
    }
};

// float32 that fp16 can hold exactly, after stochastic rounding; the caller converts.
HOTROW_INLINE Vector cut_to_fp16(Vector value, Words word) {
    const Words bits = (Words)value, sign = bits & 0x80000000u, rest = bits & 0x7FFFFFFFu;
    const Vector magnitude = (Vector)rest;
    const Words chance = word >> 19;
    const auto is_small = magnitude < 0x1p-14f;
    const Vector steps = magnitude * 0x1p24f + __builtin_convertvector((Integers)chance, Vector) * 0x1p-13f;
    const Integers whole = __builtin_convertvector(is_small ? steps : Vector{}, Integers);
    const Vector subnormal = __builtin_convertvector(whole, Vector) * 0x1p-24f;
    Vector cut = is_small ? subnormal : (Vector)((rest + chance) & ~0x1FFFu);
    cut = magnitude >= 65504.0f ? Vector{} + 65504.0f : cut;
    cut = (bits & 0x7F800000u) == 0x7F800000u ? magnitude : cut;
    return (Vector)((Words)cut | sign);
}

HOTROW_INLINE float fp16_to_float(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, rest = half & 0x7FFFu;
    if (rest >= 0x7C00u) return float_of(sign | 0x7F800000u | ((rest & 0x3FFu) << 13));
    return float_of(bits_of(float_of(rest << 13) * 0x1p112f) | sign);
}

HOTROW_INLINE uint16_t float_to_fp16(float value) {
    const uint32_t bits = bits_of(value), rest = bits & 0x7FFFFFFFu;
    const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    if (rest > 0x7F800000u) return sign | 0x7E00u | static_cast<uint16_t>((rest >> 13) & 0x3FFu);
    if (rest >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and above
    if (rest < 0x38800000u) {                        // subnormal: the sum rounds at 2**-24, to nearest even
        const float shifted = float_of(rest) + 0.5f;
        return sign | static_cast<uint16_t>(bits_of(shifted) - 0x3F000000u);
    }
    const uint32_t rounded = rest + 0xFFFu + ((rest >> 13) & 1);
    return sign | static_cast<uint16_t>((rounded - 0x38000000u) >> 13);
}

struct Fp16 {
    static constexpr int kBytes = 32;
    static constexpr bool kQuantised = false;
    HOTROW_INLINE Block load(const uint8_t* from) {
        Block block;
#if defined(__AVX512F__)
        __m256i halves;
        __builtin_memcpy(&halves, from, sizeof(halves));
        block.part[0] = (Vector)_mm512_cvtph_ps(halves);
#elif defined(__F16C__)
        for (int part = 0; part < kParts; ++part) {
            __m128i halves;
            __builtin_memcpy(&halves, from + part * 16, sizeof(halves));
            block.part[part] = (Vector)_mm256_cvtph_ps(halves);
        }
#else
        uint16_t halves[kBlock];
        float values[kBlock];
        __builtin_memcpy(halves, from, sizeof(halves));
        for (int i = 0; i < kBlock; ++i) values[i] = fp16_to_float(halves[i]);
        __builtin_memcpy(&block, values, sizeof(block));
#endif
        return block;
    }
    HOTROW_INLINE void store(uint8_t* to, const Block& given, const RandomBlock* random) {
        Block block = given;
        if (random != nullptr) {
            for (int part = 0; part < kParts; ++part) {
                block.part[part] = cut_to_fp16(given.part[part], random->part[part]);
            }
        }
#if defined(__AVX512F__)
        const __m256i halves = _mm512_cvtps_ph((__m512)block.part[0], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        __builtin_memcpy(to, &halves, sizeof(halves));
#elif defined(__F16C__)
        for (int part = 0; part < kParts; ++part) {
            const __m128i halves = _mm256_cvtps_ph((__m256)block.part[part], _MM_FROUND_TO_NEAREST_INT);
            __builtin_memcpy(to + part * 16, &halves, sizeof(halves));
        }
#else
        float values[kBlock];
        uint16_t halves[kBlock];
        HOTROW_ISA::store(values, block);
        for (int i = 0; i < kBlock; ++i) halves[i] = float_to_fp16(values[i]);
        __builtin_memcpy(to, halves, sizeof(halves));
#endif
    }
};

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint64_t Longs __attribute__((vector_size(16)));

// An integer's bytes of memory, then zeros; through an integer, since a vector that is written in
// pieces and read whole would wait for the stores.
template <typename Integer>
HOTROW_INLINE Bytes low_bytes(const uint8_t* from) {
    Integer value;
    __builtin_memcpy(&value, from, sizeof(value));
    return (Bytes)Longs{value, 0};
}

HOTROW_INLINE Block widen(Bytes codes) {
    Block block;
#if defined(__AVX512F__)
    block.part[0] = (Vector)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32((__m128i)codes));
#elif defined(__AVX2__)
    block.part[0] = (Vector)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32((__m128i)codes));
    block.part[1] = (Vector)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128((__m128i)codes, 8)));
#else
    float values[kBlock];
    for (int i = 0; i < kBlock; ++i) values[i] = static_cast<float>(static_cast<int32_t>(codes[i]));
    __builtin_memcpy(&block, values, sizeof(block));
#endif
    return block;
}

struct Int8 {
    static constexpr int kBytes = 16;
    static constexpr bool kQuantised = true;
    HOTROW_INLINE Block load(const uint8_t* from) {
        Bytes codes;
        __builtin_memcpy(&codes, from, 16);
        return widen(codes);
    }
    HOTROW_INLINE void parameters(const uint8_t* from, float& scale, float& bias) {
        __builtin_memcpy(&scale, from, 4);
        __builtin_memcpy(&bias, from + 4, 4);
    }
};

HOTROW_INLINE void half_parameters(const uint8_t* from, float& scale, float& bias) {
    uint16_t halves[2];
    __builtin_memcpy(halves, from, 4);
#if defined(__F16C__)
    scale = _cvtsh_ss(halves[0]);
    bias = _cvtsh_ss(halves[1]);
#else
    scale = fp16_to_float(halves[0]);
    bias = fp16_to_float(halves[1]);
#endif
}

struct Int4 {
    static constexpr int kBytes = 8;
    static constexpr bool kQuantised = true;
    HOTROW_INLINE Block load(const uint8_t* from) {
        const Bytes pairs = low_bytes<uint64_t>(from);
        const Bytes low = pairs & 15, high = pairs >> 4;
        return widen(__builtin_shufflevector(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    }
    HOTROW_INLINE void parameters(const uint8_t* from, float& scale, float& bias) {
        half_parameters(from, scale, bias);
    }
};

struct Int2 {
    static constexpr int kBytes = 4;
    static constexpr bool kQuantised = true;
    HOTROW_INLINE Block load(const uint8_t* from) {
        const Bytes fours = low_bytes<uint32_t>(from);
        const Bytes spread = __builtin_shufflevector(fours, fours, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
        const Bytes shift = {0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};
        return widen((spread >> shift) & 3);
    }
    HOTROW_INLINE void parameters(const uint8_t* from, float& scale, float& bias) {
        half_parameters(from, scale, bias);
    }
};

// Calls run(format) with the type of the format.
template <typename Run>
HOTROW_INLINE void with_format(RowFormat format, Run run) {
    switch (format) {
        case RowFormat::fp32: return run(Fp32{});
        case RowFormat::fp16: return run(Fp16{});
        case RowFormat::bf16: return run(Bf16{});
        case RowFormat::int8: return run(Int8{});
        case RowFormat::int4: return run(Int4{});
        case RowFormat::int2: return run(Int2{});
    }
}

// Calls run(format, width), the width a constant where it is a usual one of float32 rows: loops over
// columns are unrolled then.
template <typename Run>
HOTROW_INLINE void with_rows(const TableSpec& spec, Run run) {
    if (spec.format != RowFormat::fp32) {
        return with_format(spec.format, [&](auto format) __attribute__((always_inline)) { run(format, spec.width); });
    }
    switch (spec.width) {
        case 16: return run(Fp32{}, 16);
        case 32: return run(Fp32{}, 32);
        case 64: return run(Fp32{}, 64);
        case 128: return run(Fp32{}, 128);
        default: return run(Fp32{}, spec.width);
    }
}

// Bytes of the stored values of `columns` columns; a quantised row's parameters come after all of them.
template <typename Format>
HOTROW_INLINE int64_t bytes_of(int64_t columns) {
    return (columns * Format::kBytes + kBlock - 1) / kBlock;
}

// The last D mod 16 columns, padded with zeros.
template <typename Format>
HOTROW_INLINE Block load_tail(const uint8_t* from, int64_t columns) {
    uint8_t padded[Format::kBytes] = {};
    const int64_t bytes = bytes_of<Format>(columns);
    for (int64_t i = 0; i < bytes; ++i) padded[i] = from[i];
    return Format::load(padded);
}

template <typename Format>
HOTROW_INLINE void store_tail(uint8_t* to, const Block& block, int64_t columns, const RandomBlock* random) {
    uint8_t padded[Format::kBytes];
    Format::store(padded, block, random);
    const int64_t bytes = bytes_of<Format>(columns);
    for (int64_t i = 0; i < bytes; ++i) to[i] = padded[i];
}

HOTROW_INLINE Block load_float_tail(const float* from, int64_t columns) {
    return load_tail<Fp32>(reinterpret_cast<const uint8_t*>(from), columns);
}

HOTROW_INLINE void store_float_tail(float* to, const Block& block, int64_t columns) {
    store_tail<Fp32>(reinterpret_cast<uint8_t*>(to), block, columns, nullptr);
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
