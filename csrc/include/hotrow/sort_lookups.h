// The lookups of one table sorted by row, in order within a row.
#pragma once

#include <cstdint>

namespace hotrow {

// Stable radix sort of n keys by the `bits` above bit 32: what lies below never decreases.
// Returns whichever of keys and spare holds the result.
uint64_t* sort_by_row(uint64_t* keys, uint64_t* spare, int64_t n, int bits);

// Splits n keys by their highest bits of row into parts that can be sorted apart: parts are in order
// and keep the keys' order. Writes to `to` and the bounds (parts + 1,) of the parts; returns the number
// of bits that are left to sort by. `bits` as above.
constexpr int kPartBits = 6;
int split_by_row(const uint64_t* keys, uint64_t* to, int64_t n, int bits, int threads, int64_t* bounds);

}  // namespace hotrow
