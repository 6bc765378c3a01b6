// A batch cut into pieces of work, which threads take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hotrow/layout.h"

namespace hotrow {

constexpr int64_t kLookups = 2048;  // lookups aimed at in one piece

// Bags [first, last) of a feature.
struct Piece {
    int64_t feature;
    int64_t first;
    int64_t last;
};

// In order of features and bags. most(f): how many lookups are aimed at in a piece of feature f.
template <typename Id, typename Most>
std::vector<Piece> cut(const std::vector<Stream<Id>>& streams, Most most) {
    std::vector<Piece> pieces;
    for (size_t f = 0; f < streams.size(); ++f) {
        const Stream<Id>& stream = streams[f];
        const int64_t count = 1 + stream.count / most(static_cast<int64_t>(f));
        const int64_t size = std::max<int64_t>(1, (stream.bags + count - 1) / count);
        for (int64_t first = 0; first < stream.bags; first += size) {
            pieces.push_back({static_cast<int64_t>(f), first, std::min(stream.bags, first + size)});
        }
    }
    return pieces;
}

template <typename Id>
std::vector<Piece> cut(const std::vector<Stream<Id>>& streams) {
    return cut(streams, [](int64_t) { return kLookups; });
}

// Whether the ids of a piece are good.
template <typename Id>
bool is_good(const Layout& layout, const std::vector<Stream<Id>>& streams, const Piece& piece) {
    const Stream<Id>& stream = streams[piece.feature];
    const int64_t rows = layout.tables[layout.features[piece.feature].table].rows;
    if (stream.offsets == nullptr) return ids_are_good(stream, piece.first, piece.last, rows);
    const int64_t start = stream.offsets[0];
    return ids_are_good(stream, stream.offsets[piece.first] - start, stream.offsets[piece.last] - start, rows);
}

}  // namespace hotrow
