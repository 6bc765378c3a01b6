// How many threads a lookup is worth.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hotrow/layout.h"

namespace hotrow {

constexpr int64_t kWorthAThread = 64 << 10;  // bytes moved for which another thread pays

inline int useful_threads(int threads, int64_t bytes) {
    return static_cast<int>(std::clamp<int64_t>(bytes / kWorthAThread, 1, std::max(threads, 1)));
}

template <typename Id>
int64_t bytes_moved(const Layout& layout, const std::vector<Stream<Id>>& streams) {
    int64_t bytes = 0;
    for (size_t f = 0; f < streams.size(); ++f) {
        const TableSpec& table = layout.tables[layout.features[f].table];
        bytes += streams[f].count * table.row_bytes + streams[f].bags * table.width * 4;
    }
    return bytes;
}

}  // namespace hotrow
