#include "hotrow/row_bandwidth.h"

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

template <typename Word>
uint64_t read(const char* place) {
    Word word;
    std::memcpy(&word, place, sizeof word);
    return word;
}

// Four sums, so that one addition does not wait for the one before; copies of a fixed size, so that
// short rows do not cost a call.
uint64_t sum_row(const char* row, int64_t row_bytes) {
    uint64_t sums[4] = {};
    const char* const end = row + row_bytes;
    for (; row + 4 * kWord <= end; row += 4 * kWord) {
        for (int lane = 0; lane < 4; ++lane) sums[lane] += read<uint64_t>(row + lane * kWord);
    }
    for (; row + kWord <= end; row += kWord) sums[0] += read<uint64_t>(row);
    int shift = 0;
    if ((end - row) & 4) {
        sums[1] += read<uint32_t>(row);
        row += 4;
        shift = 32;
    }
    if ((end - row) & 2) {
        sums[2] += read<uint16_t>(row) << shift;
        row += 2;
        shift += 16;
    }
    if ((end - row) & 1) sums[3] += read<uint8_t>(row) << shift;
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
