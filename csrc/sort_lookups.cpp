#include "hotrow/sort_lookups.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace hotrow {
namespace {

constexpr int kRowAt = 32;      // bit where the row begins
constexpr int kMostDigit = 12;  // bits of one pass
constexpr int kMostPasses = 4;
constexpr int64_t kFew = 48;  // so few are sorted by comparison

template <int kPasses>
uint64_t* radix_sort(uint64_t* keys, uint64_t* spare, int64_t n, int bits) {
    const int digit = (bits + kPasses - 1) / kPasses;
    const uint64_t mask = (uint64_t{1} << digit) - 1;
    uint32_t counts[kPasses][1 << kMostDigit];
    for (int pass = 0; pass < kPasses; ++pass) std::memset(counts[pass], 0, sizeof(uint32_t) << digit);
    for (int64_t i = 0; i < n; ++i) {
        const uint64_t row = keys[i] >> kRowAt;
        for (int pass = 0; pass < kPasses; ++pass) ++counts[pass][row >> (pass * digit) & mask];
    }
    for (int pass = 0; pass < kPasses; ++pass) {
        uint32_t* places = counts[pass];
        uint32_t place = 0;
        for (uint64_t value = 0; value <= mask; ++value) {
            const uint32_t count = places[value];
            places[value] = place;
            place += count;
        }
        const int shift = kRowAt + pass * digit;
        for (int64_t i = 0; i < n; ++i) {
            const uint64_t key = keys[i];
            spare[places[key >> shift & mask]++] = key;
        }
        std::swap(keys, spare);
    }
    return keys;
}

// The fewest steps: a key in a pass costs as much as three or four counters.
int best_passes(int64_t n, int bits) {
    int best = kMostPasses;
    const auto cost = [&](int passes) { return passes * (10 * n + (int64_t{3} << (bits + passes - 1) / passes)); };
    for (int passes = kMostPasses - 1; passes > 0 && (bits + passes - 1) / passes <= kMostDigit; --passes) {
        if (cost(passes) <= cost(best)) best = passes;
    }
    return best;
}

}  // namespace

uint64_t* sort_by_row(uint64_t* keys, uint64_t* spare, int64_t n, int bits) {
    if (n <= kFew) {
        std::sort(keys, keys + n);  // what lies below the row makes it stable
        return keys;
    }
    if (bits == 0) return keys;
    switch (best_passes(n, bits)) {
        case 1: return radix_sort<1>(keys, spare, n, bits);
        case 2: return radix_sort<2>(keys, spare, n, bits);
        case 3: return radix_sort<3>(keys, spare, n, bits);
        default: return radix_sort<4>(keys, spare, n, bits);
    }
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
