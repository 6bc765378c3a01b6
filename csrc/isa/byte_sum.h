// Sums of bytes, exact.
#pragma once

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "block.h"

namespace hotrow::HOTROW_ISA {
namespace {

#if defined(__SSE2__)

class ByteSum {
public:
    HOTROW_MEMBER void add(const uint8_t* from, int64_t count) {
        int64_t at = 0;
#if defined(__AVX512BW__)
        for (; at + 64 <= count; at += 64) {
            wide_ = _mm512_add_epi64(wide_, _mm512_sad_epu8(_mm512_loadu_si512(from + at), _mm512_setzero_si512()));
        }
#endif
        // No masked loads of the rest: they would wait for the cache line after the row.
        for (; at + 16 <= count; at += 16) add(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
        if (at + 8 <= count) {
            add(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + at)));
            at += 8;
        }
        for (; at < count; ++at) rest_ += from[at];
    }
    HOTROW_MEMBER uint64_t total() const {
        const __m128i sum = _mm_add_epi64(sums_, _mm_unpackhi_epi64(sums_, sums_));
        uint64_t total = rest_ + static_cast<uint64_t>(_mm_cvtsi128_si64(sum));
#if defined(__AVX512BW__)
        total += static_cast<uint64_t>(_mm512_reduce_add_epi64(wide_));
#endif
        return total;
    }

private:
    HOTROW_MEMBER void add(__m128i bytes) { sums_ = _mm_add_epi64(sums_, _mm_sad_epu8(bytes, _mm_setzero_si128())); }

#if defined(__AVX512BW__)
    __m512i wide_ = _mm512_setzero_si512();
#endif
    __m128i sums_ = _mm_setzero_si128();
    uint64_t rest_ = 0;
};

#else

class ByteSum {
public:
    HOTROW_MEMBER void add(const uint8_t* from, int64_t count) {
        for (int64_t at = 0; at < count; ++at) sum_ += from[at];
    }
    HOTROW_MEMBER uint64_t total() const { return sum_; }

private:
    uint64_t sum_ = 0;
};

#endif

}  // namespace
}  // namespace hotrow::HOTROW_ISA
