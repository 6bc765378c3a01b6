#include "hotrow/row_bandwidth.h"

#include <cstring>

namespace hotrow {

namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kWord = sizeof(uint64_t);

// Into the second level of cache, to which a core fetches more lines at once than to the first.
[[gnu::always_inline]] inline void prefetch_row(const char* row, int64_t row_bytes) {
    for (int64_t at = 0; at < row_bytes; at += kLine) __builtin_prefetch(row + at, 0, 2);
    if ((reinterpret_cast<uintptr_t>(row) | static_cast<uintptr_t>(row_bytes)) & (kLine - 1)) {
        __builtin_prefetch(row + row_bytes - 1, 0, 2);
    }
}

template <typename Word>
uint64_t read(const char* place) {
    Word word;
    std::memcpy(&word, place, sizeof word);
    return word;
}

// Four sums, so that one addition does not wait for the one before; copies of a fixed size, so that
// short rows do not cost a call.
[[gnu::always_inline]] inline uint64_t sum_row(const char* row, int64_t row_bytes) {
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

struct Job {
    const char* base;
    int64_t rows;
    const int64_t* ids;
    int64_t ahead;
};

struct Found {
    uint64_t sum = 0;
    int64_t bad = 0;
};

// Always inlined, so that row_bytes may be a constant and the loops over a row be unrolled.
[[gnu::always_inline]] inline Found read_part(const Job& job, int64_t row_bytes, int64_t first, int64_t last) {
    const auto is_row = [&](int64_t id) { return static_cast<uint64_t>(id) < static_cast<uint64_t>(job.rows); };
    Found found;
    for (int64_t place = first; place < last; ++place) {
        if (place + job.ahead < last && is_row(job.ids[place + job.ahead])) {
            prefetch_row(job.base + job.ids[place + job.ahead] * row_bytes, row_bytes);
        }
        if (is_row(job.ids[place])) {
            found.sum += sum_row(job.base + job.ids[place] * row_bytes, row_bytes);
        } else {
            ++found.bad;
        }
    }
    return found;
}

Found read_part_of(const Job& job, int64_t row_bytes, int64_t first, int64_t last) {
    switch (row_bytes) {
        case 64: return read_part(job, 64, first, last);
        case 128: return read_part(job, 128, first, last);
        case 256: return read_part(job, 256, first, last);
        case 512: return read_part(job, 512, first, last);
        default: return read_part(job, row_bytes, first, last);
    }
}

}  // namespace

bool read_random_rows(const void* address, int64_t rows, int64_t row_bytes, const int64_t* ids, int64_t count,
                      int64_t ahead, int threads, uint64_t& sum) {
    const Job job{static_cast<const char*>(address), rows, ids, ahead};
    uint64_t total = 0;
    int64_t bad = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total, bad)
    for (int64_t part = 0; part < threads; ++part) {
        const Found found = read_part_of(job, row_bytes, count * part / threads, count * (part + 1) / threads);
        total += found.sum;
        bad += found.bad;
    }
    if (bad == 0) sum = total;
    return bad == 0;
}

}  // namespace hotrow
