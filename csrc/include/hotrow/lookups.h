// The lookups of one table, grouped by row.
#pragma once

#include <cstdint>
#include <vector>

#include "hotrow/row_kernels.h"

namespace hotrow {

// Lookups of one table in a batch: one for each of `count` bags at ids[bag * stride] when offsets is
// null, else ids[offsets[bag] - offsets[0] ..] for each bag.
template <typename Id>
struct TableLookups {
    const Id* ids;
    int64_t stride;
    const int64_t* offsets;
    int64_t bags;
    int64_t count;
};

// Memory of one thread, kept from step to step.
struct Scratch {
    std::vector<int64_t> rows;        // (n,) row of each lookup
    std::vector<int32_t> bags;        // (n,) bag of each lookup
    std::vector<int64_t> group_rows;  // (U,)
    std::vector<int32_t> group_of;    // (n,)
    std::vector<int32_t> starts;      // (U + 2,)
    std::vector<int32_t> order;       // (n,)
    std::vector<int32_t> slots;       // hash table: group or -1
    std::vector<float> gradient;

    void reserve(int64_t lookups, int64_t width);
};

Scratch& thread_scratch();

// Writes row and bag of the lookups [first, last) of a table.
template <typename Id>
void expand(const TableLookups<Id>& lookups, int64_t first, int64_t last, int64_t* rows, int32_t* bags);

// Groups n lookups by row, keeping the order of lookups within a row; groups are in order of first
// occurrence. `table_rows` is E. The result points into scratch.
RowGroups group_by_row(const int64_t* rows, const int32_t* bags, int64_t n, int64_t table_rows, Scratch& scratch);

// Lookups of a large table split by a hash of the row, so that each part can be grouped in cache and
// by another thread. Order is kept within a part.
struct Partition {
    std::vector<int64_t> rows;
    std::vector<int32_t> bags;
    std::vector<int64_t> starts;  // (parts + 1,)
};

// How many parts to split n lookups into; a function of n only.
int64_t count_parts(int64_t n);

template <typename Id>
void partition_by_row(const TableLookups<Id>& lookups, int64_t parts, int threads, Partition& result);

}  // namespace hotrow
