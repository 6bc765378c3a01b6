#include "hotrow/lookups.h"

#include <algorithm>
#include <bit>

namespace hotrow {
namespace {

constexpr int64_t kWhole = 16384;      // lookups grouped without splitting
constexpr int64_t kPart = 8192;        // aimed at in each part of a larger table
constexpr int64_t kMaxParts = 4096;
constexpr int64_t kPieces = 16384;     // lookups of one piece of work while splitting
constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;

// The top bits choose the part; grouping uses bits below them.
inline uint64_t hash_row(int64_t row) { return static_cast<uint64_t>(row) * kMultiplier; }

inline int log2_of(int64_t power_of_two) { return std::countr_zero(static_cast<uint64_t>(power_of_two)); }

template <typename T>
void at_least(std::vector<T>& memory, int64_t size) {
    if (static_cast<int64_t>(memory.size()) < size) memory.resize(size);
}

// Where groups are looked up by row: by the row itself in a small table, else by its hash.
class DirectSlots {
public:
    DirectSlots(std::vector<int32_t>& slots, int64_t table_rows) : slots_(slots.data()) {
        std::fill_n(slots_, table_rows, -1);
    }
    int32_t* find(int64_t row, const int64_t*) { return slots_ + row; }

private:
    int32_t* slots_;
};

class HashSlots {
public:
    HashSlots(std::vector<int32_t>& slots, int64_t capacity)
        : slots_(slots.data()), mask_(capacity - 1), shift_(52 - log2_of(capacity)) {
        std::fill_n(slots_, capacity, -1);
    }
    int32_t* find(int64_t row, const int64_t* group_rows) {
        uint64_t at = (hash_row(row) >> shift_) & mask_;
        while (slots_[at] >= 0 && group_rows[slots_[at]] != row) at = (at + 1) & mask_;
        return slots_ + at;
    }

private:
    int32_t* slots_;
    uint64_t mask_;
    int shift_;
};

// Numbers the groups in order of first occurrence and counts each at starts[group + 2].
template <typename Slots>
int64_t assign_groups(const int64_t* rows, int64_t n, Slots slots, Scratch& scratch) {
    int64_t* group_rows = scratch.group_rows.data();
    int32_t* group_of = scratch.group_of.data();
    int32_t* starts = scratch.starts.data();
    int32_t groups = 0;
    for (int64_t i = 0; i < n; ++i) {
        int32_t* slot = slots.find(rows[i], group_rows);
        if (*slot < 0) {
            group_rows[groups] = rows[i];
            starts[groups + 2] = 0;
            *slot = groups++;
        }
        group_of[i] = *slot;
        ++starts[*slot + 2];
    }
    return groups;
}

}  // namespace

void Scratch::reserve(int64_t lookups, int64_t width) {
    at_least(rows, lookups);
    at_least(bags, lookups);
    at_least(group_rows, lookups);
    at_least(group_of, lookups);
    at_least(starts, lookups + 2);
    at_least(order, lookups);
    at_least(gradient, 2 * width);
}

Scratch& thread_scratch() {
    static thread_local Scratch scratch;
    return scratch;
}

template <typename Id>
void expand(const TableLookups<Id>& lookups, int64_t first, int64_t last, int64_t* rows, int32_t* bags) {
    if (lookups.offsets == nullptr) {
        for (int64_t bag = first; bag < last; ++bag) {
            rows[bag - first] = lookups.ids[bag * lookups.stride];
            bags[bag - first] = static_cast<int32_t>(bag);
        }
        return;
    }
    const int64_t* offsets = lookups.offsets;
    const int64_t* after = std::upper_bound(offsets, offsets + lookups.bags + 1, offsets[0] + first);
    int64_t bag = after - offsets - 1;
    for (int64_t i = first; i < last; ++i) {
        while (offsets[bag + 1] - offsets[0] <= i) ++bag;
        rows[i - first] = lookups.ids[i];
        bags[i - first] = static_cast<int32_t>(bag);
    }
}

RowGroups group_by_row(const int64_t* rows, const int32_t* bags, int64_t n, int64_t table_rows, Scratch& scratch) {
    const int64_t capacity = std::bit_ceil(static_cast<uint64_t>(2 * n));
    at_least(scratch.slots, capacity);
    const int64_t groups = table_rows <= capacity
                               ? assign_groups(rows, n, DirectSlots(scratch.slots, table_rows), scratch)
                               : assign_groups(rows, n, HashSlots(scratch.slots, capacity), scratch);
    int32_t* starts = scratch.starts.data();
    starts[0] = starts[1] = 0;
    for (int64_t group = 0; group < groups; ++group) starts[group + 2] += starts[group + 1];
    // starts[group + 1] is the group's first place now, and has moved on to its end afterwards.
    for (int64_t i = 0; i < n; ++i) scratch.order[starts[scratch.group_of[i] + 1]++] = bags[i];
    return {scratch.group_rows.data(), starts, scratch.order.data(), groups};
}

int64_t count_parts(int64_t n) {
    if (n <= kWhole) return 1;
    return std::min<int64_t>(kMaxParts, std::bit_ceil(static_cast<uint64_t>((n + kPart - 1) / kPart)));
}

template <typename Id>
void partition_by_row(const TableLookups<Id>& lookups, int64_t parts, int threads, Partition& result) {
    const int64_t n = lookups.count, pieces = (n + kPieces - 1) / kPieces;
    const int shift = 64 - log2_of(parts);
    at_least(result.rows, n);
    at_least(result.bags, n);
    std::vector<int64_t> places(pieces * parts, 0);  // (pieces, parts): counts, then where each piece writes
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t piece = 0; piece < pieces; ++piece) {
        Scratch& scratch = thread_scratch();
        scratch.reserve(kPieces, 0);
        const int64_t first = piece * kPieces, last = std::min(n, first + kPieces);
        expand(lookups, first, last, scratch.rows.data(), scratch.bags.data());
        for (int64_t i = 0; i < last - first; ++i) ++places[piece * parts + (hash_row(scratch.rows[i]) >> shift)];
    }
    result.starts.assign(parts + 1, 0);
    int64_t place = 0;
    for (int64_t part = 0; part < parts; ++part) {
        result.starts[part] = place;
        for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t count = places[piece * parts + part];
            places[piece * parts + part] = place;
            place += count;
        }
    }
    result.starts[parts] = place;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t piece = 0; piece < pieces; ++piece) {
        Scratch& scratch = thread_scratch();
        scratch.reserve(kPieces, 0);
        const int64_t first = piece * kPieces, last = std::min(n, first + kPieces);
        expand(lookups, first, last, scratch.rows.data(), scratch.bags.data());
        for (int64_t i = 0; i < last - first; ++i) {
            const int64_t to = places[piece * parts + (hash_row(scratch.rows[i]) >> shift)]++;
            result.rows[to] = scratch.rows[i];
            result.bags[to] = scratch.bags[i];
        }
    }
}

template void expand(const TableLookups<int32_t>&, int64_t, int64_t, int64_t*, int32_t*);
template void expand(const TableLookups<int64_t>&, int64_t, int64_t, int64_t*, int32_t*);
template void partition_by_row(const TableLookups<int32_t>&, int64_t, int, Partition&);
template void partition_by_row(const TableLookups<int64_t>&, int64_t, int, Partition&);

}  // namespace hotrow
