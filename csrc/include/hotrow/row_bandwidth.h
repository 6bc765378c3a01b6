// How fast this machine can read random rows: what a lookup is measured against.
#pragma once

#include <cstdint>

namespace hotrow {

// Reads whole rows in the order of `ids` and adds up their 64-bit words, modulo 2^64; the last word
// of a row is padded with zero bytes. `ahead` rows are prefetched, 0 for none. Each thread reads one
// stretch of `ids`. Returns false, and leaves `sum` alone, if an id is outside [0, rows).
bool read_random_rows(const void* address, int64_t rows, int64_t row_bytes, const int64_t* ids, int64_t count,
                      int64_t ahead, int threads, uint64_t& sum);

}  // namespace hotrow
