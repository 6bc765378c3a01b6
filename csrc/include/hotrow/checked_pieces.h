// The check of lookups against checksums, piece by piece, by any number of threads.
#pragma once

#include <atomic>
#include <mutex>
#include <tuple>

#include "hotrow/checksums.h"
#include "hotrow/pieces.h"

namespace hotrow {

constexpr int64_t kCheckedBytes = 128 << 10;  // of rows: what is looked up is checked while it is in the cache

// How many lookups make a piece of a feature that is checked.
inline int64_t checked_lookups(const Layout& layout, int64_t feature) {
    const int64_t bytes = layout.tables[layout.features[feature].table].row_bytes;
    return std::clamp<int64_t>(kCheckedBytes / bytes, 64, kLookups);
}

// The first bag that does not agree, in order of features and bags: does not depend on the threads.
class FirstFault {
public:
    void note(int64_t feature, int64_t bag) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!found_ || std::tie(feature, bag) < std::tie(feature_, bag_)) feature_ = feature, bag_ = bag;
        found_ = true;
    }
    Problem problem() const { return found_ ? Problem{Problem::soft_error, feature_, bag_, 0} : Problem{}; }

private:
    std::mutex mutex_;
    bool found_ = false;
    int64_t feature_ = 0, bag_ = 0;
};

// `checksums` of each table, or null for no check.
template <typename Id>
class Checker {
public:
    Checker(const Layout& layout, const uint8_t* const* tables, const RowChecksum* const* checksums,
            const std::vector<Stream<Id>>& streams)
        : layout_(layout), tables_(tables), checksums_(checksums), streams_(streams) {}

    bool is_on() const { return checksums_ != nullptr; }

    // Asks for the checksums of a piece. Always inlined: GCC drops calls of a function that only prefetches.
    [[gnu::always_inline]] inline void prefetch(const Piece& piece) const {
        const Stream<Id>& stream = streams_[piece.feature];
        const RowChecksum* checksums = checksums_[layout_.features[piece.feature].table];
        int64_t first = piece.first, last = piece.last;
        if (stream.offsets != nullptr) {
            first = stream.offsets[piece.first] - stream.offsets[0];
            last = stream.offsets[piece.last] - stream.offsets[0];
        }
        for (int64_t i = first; i < last; ++i) __builtin_prefetch(checksums + stream.ids[i * stream.stride]);
    }

    // Checks a piece that has been looked up.
    void check(const Piece& piece) {
        const int64_t table = layout_.features[piece.feature].table;
        const Stream<Id>& stream = streams_[piece.feature];
        const auto check_bags = [] {
            if constexpr (sizeof(Id) == 4) return check_kernels().check_bags_i32;
            else return check_kernels().check_bags_i64;
        }();
        const TableSpec& spec = layout_.tables[table];
        std::vector<float> scratch(spec.width);
        const int64_t bag = check_bags(checksums_[table], tables_[table], spec, stream, piece.first, piece.last,
                                       scratch.data());
        if (bag >= 0) fault_.note(piece.feature, bag);
    }

    Problem problem() const { return fault_.problem(); }

private:
    const Layout& layout_;
    const uint8_t* const* tables_;
    const RowChecksum* const* checksums_;
    const std::vector<Stream<Id>>& streams_;
    FirstFault fault_;
};

}  // namespace hotrow
