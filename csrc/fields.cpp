// Digits are read eight at a time, as the bytes of a 64-bit word (D. Lemire, "Quickly parsing eight digits", 2018).
#include "hotrow/fields.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace hotrow {
namespace {

constexpr int64_t kTile = 64;

constexpr uint64_t every(uint64_t byte) { return byte * 0x0101'0101'0101'0101; }

bool is_separator(uint8_t c) { return c == '\t' || c == '\n'; }

// Returns the `count` (0 to 8) bytes before `end`, the last one highest, behind bytes that are `fill`.
uint64_t last_bytes(const uint8_t* end, int64_t count, uint64_t fill) {
    if (count == 0) return fill;
    uint64_t word;
    std::memcpy(&word, end - 8, sizeof(word));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    const uint64_t kept = ~uint64_t{0} << (8 - count) * 8;
    return (word & kept) | (fill & ~kept);
}

// Returns the number whose digits are the bytes of a word, the lowest byte first: neighbours become pairs, pairs
// fours, fours the number.
template <uint64_t kBase>
uint64_t combined(uint64_t word) {
    word = (word * ((kBase << 8) + 1) >> 8) & 0x00FF'00FF'00FF'00FF;
    word = (word * ((kBase * kBase << 16) + 1) >> 16) & 0x0000'FFFF'0000'FFFF;
    return (word * ((kBase * kBase * kBase * kBase << 32) + 1) >> 32) & 0xFFFF'FFFF;
}

// The digit that each byte stands for, if all are digits.
bool hex_digits(uint64_t word, uint64_t* digits) {
    const uint64_t letters = (word & every(0x40)) >> 6;
    const uint64_t found = (word & every(0x0F)) + letters * 9;
    const uint64_t above_nine = ((found + every(6)) & every(0x10)) >> 4;
    // What these digits look like, in small letters.
    const uint64_t text = every('0') + found + above_nine * ('a' - 10 - '0');
    *digits = found;
    return text == (word | letters << 5) && (found & every(0xF0)) == 0;
}

bool decimal_digits(uint64_t word, uint64_t* digits) {
    *digits = word ^ every('0');
    return (*digits & every(0xF0)) == 0 && ((*digits + every(0x76)) & every(0x80)) == 0;
}

bool read_hex(const uint8_t* start, const uint8_t* end, uint64_t* value) {
    const int64_t length = end - start;
    *value = ~uint64_t{0};
    if (length == 0) return true;
    uint64_t digits;
    if (length > 8 || !hex_digits(last_bytes(end, length, every('0')), &digits)) return false;
    *value = combined<16>(digits);
    return true;
}

bool read_integer(const uint8_t* start, const uint8_t* end, double* value) {
    *value = std::numeric_limits<double>::quiet_NaN();
    if (start == end) return true;
    const bool is_negative = *start == '-';
    int64_t left = end - start - is_negative;
    if (left == 0 || left > 18) return false;
    uint64_t sum = 0, digits;
    for (uint64_t weight = 1; left > 0; weight *= 100'000'000, left -= 8, end -= 8) {
        if (!decimal_digits(last_bytes(end, std::min<int64_t>(left, 8), every('0')), &digits)) return false;
        sum += combined<10>(digits) * weight;
    }
    *value = static_cast<double>(sum);
    if (is_negative) *value = -*value;
    return true;
}

}  // namespace

int64_t find_separators(const uint8_t* text, int64_t size, int64_t* places) {
    int64_t count = 0, i = 0;
#if defined(__SSE2__)
    const __m128i tab = _mm_set1_epi8('\t'), newline = _mm_set1_epi8('\n');
    for (; i + 64 <= size; i += 64) {
        uint64_t found = 0;
        for (int part = 0; part < 4; ++part) {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + i) + part);
            const __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, tab), _mm_cmpeq_epi8(bytes, newline));
            found |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(hits))) << part * 16;
        }
        for (; found != 0; found &= found - 1) places[count++] = i + std::countr_zero(found);
    }
#endif
    for (; i < size; ++i) {
        if (is_separator(text[i])) places[count++] = i;
    }
    return count;
}

void read_hex_fields(const uint8_t* text, const Fields& at, uint64_t* values, int64_t* wrong) {
    std::fill(wrong, wrong + at.rows, -1);
    // Some rows at a time, so that what is written in turn lies side by side.
    for (int64_t first = 0; first < at.rows; first += kTile) {
        const int64_t end = std::min(first + kTile, at.rows);
        for (int64_t field = at.fields - 1; field >= 0; --field) {
            for (int64_t row = first; row < end; ++row) {
                const uint8_t* const start = text + at.starts[row * at.start_stride + field];
                const uint8_t* const stop = text + at.ends[row * at.end_stride + field];
                if (!read_hex(start, stop, values + field * at.rows + row)) wrong[row] = field;
            }
        }
    }
}

void read_integer_fields(const uint8_t* text, const Fields& at, double* values, int64_t* wrong) {
    for (int64_t row = 0; row < at.rows; ++row) {
        const int64_t *starts = at.starts + row * at.start_stride, *ends = at.ends + row * at.end_stride;
        wrong[row] = -1;
        for (int64_t field = at.fields - 1; field >= 0; --field) {
            if (!read_integer(text + starts[field], text + ends[field], values + row * at.fields + field)) {
                wrong[row] = field;
            }
        }
    }
}

}  // namespace hotrow
