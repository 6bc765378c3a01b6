#include "hotrow/row_bandwidth.h"

#include <algorithm>
#include <cstring>

namespace hotrow {

namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kWord = sizeof(uint64_t);

void prefetch_row(const char* row, int64_t row_bytes) {
    const auto first = reinterpret_cast<uintptr_t>(row) & ~static_cast<uintptr_t>(kLine - 1);
    const auto last = reinterpret_cast<uintptr_t>(row) + static_cast<uintptr_t>(row_bytes);
    for (uintptr_t line = first; line < last; line += kLine) __builtin_prefetch(reinterpret_cast<const void*>(line));
}

// Four sums, so that one addition does not wait for the one before.
uint64_t sum_row(const char* row, int64_t row_bytes) {
    uint64_t sums[4] = {};
    int64_t place = 0;
    for (; place + 4 * kWord <= row_bytes; place += 4 * kWord) {
        uint64_t words[4];
        std::memcpy(words, row + place, sizeof words);
        for (int lane = 0; lane < 4; ++lane) sums[lane] += words[lane];
    }
    for (; place < row_bytes; place += kWord) {
        uint64_t word = 0;
        std::memcpy(&word, row + place, static_cast<size_t>(std::min(kWord, row_bytes - place)));
        sums[0] += word;
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

bool read_random_rows(const void* address, int64_t rows, int64_t row_bytes, const int64_t* ids, int64_t count,
                      int64_t ahead, int threads, uint64_t& sum) {
    const char* base = static_cast<const char*>(address);
    const auto is_row = [rows](int64_t id) { return static_cast<uint64_t>(id) < static_cast<uint64_t>(rows); };
    uint64_t total = 0;
    int64_t bad = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total, bad)
    for (int64_t part = 0; part < threads; ++part) {
        const int64_t end = count * (part + 1) / threads;
        for (int64_t place = count * part / threads; place < end; ++place) {
            if (place + ahead < end && is_row(ids[place + ahead])) {
                prefetch_row(base + ids[place + ahead] * row_bytes, row_bytes);
            }
            if (is_row(ids[place])) {
                total += sum_row(base + ids[place] * row_bytes, row_bytes);
            } else {
                ++bad;
            }
        }
    }
    if (bad == 0) sum = total;
    return bad == 0;
}

}  // namespace hotrow
