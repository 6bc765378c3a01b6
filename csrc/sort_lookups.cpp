#include "hotrow/sort_lookups.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace hotrow {
namespace {

constexpr int kRowAt = 32;      // bit where the row begins
constexpr int kMostDigit = 11;  // bits of one pass
constexpr int64_t kFew = 128;   // so few are sorted by comparison

}  // namespace

uint64_t* sort_by_row(uint64_t* keys, uint64_t* spare, int64_t n, int bits) {
    if (n <= kFew) {
        std::sort(keys, keys + n);  // what lies below the row makes it stable
        return keys;
    }
    const int most = n < 4096 ? 9 : kMostDigit;
    const int passes = (bits + most - 1) / most;
    const int digit = passes == 0 ? 0 : (bits + passes - 1) / passes;
    const uint64_t mask = (uint64_t{1} << digit) - 1;
    uint32_t counts[8][1 << kMostDigit];
    for (int pass = 0; pass < passes; ++pass) std::memset(counts[pass], 0, sizeof(uint32_t) << digit);
    for (int64_t i = 0; i < n; ++i) {
        uint64_t row = keys[i] >> kRowAt;
        for (int pass = 0; pass < passes; ++pass, row >>= digit) ++counts[pass][row & mask];
    }
    for (int pass = 0; pass < passes; ++pass) {
        uint32_t place = 0;
        for (uint64_t value = 0; value <= mask; ++value) {
            const uint32_t count = counts[pass][value];
            counts[pass][value] = place;
            place += count;
        }
        const int shift = kRowAt + pass * digit;
        for (int64_t i = 0; i < n; ++i) spare[counts[pass][(keys[i] >> shift) & mask]++] = keys[i];
        std::swap(keys, spare);
    }
    return keys;
}

int split_by_row(const uint64_t* keys, uint64_t* to, int64_t n, int bits, int threads, int64_t* bounds) {
    constexpr int64_t kParts = int64_t{1} << kPartBits;
    const int left = std::max(bits - kPartBits, 0), shift = kRowAt + left;
    std::vector<int64_t> places(threads * kParts, 0);  // (slices, parts): counts, then where each writes
    const auto slice = [&](int64_t index) { return n * index / threads; };
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t s = 0; s < threads; ++s) {
        int64_t* counts = places.data() + s * kParts;
        for (int64_t i = slice(s); i < slice(s + 1); ++i) ++counts[keys[i] >> shift];
    }
    int64_t place = 0;
    for (int64_t part = 0; part < kParts; ++part) {
        bounds[part] = place;
        for (int64_t s = 0; s < threads; ++s) {
            const int64_t count = places[s * kParts + part];
            places[s * kParts + part] = place;
            place += count;
        }
    }
    bounds[kParts] = place;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t s = 0; s < threads; ++s) {
        int64_t* at = places.data() + s * kParts;
        for (int64_t i = slice(s); i < slice(s + 1); ++i) to[at[keys[i] >> shift]++] = keys[i];
    }
    return left;
}

}  // namespace hotrow
