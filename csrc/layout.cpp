#include "hotrow/layout.h"

#include <algorithm>
#include <type_traits>

namespace hotrow {
namespace {

Problem check_offsets(const int64_t* offsets, int64_t bags, int64_t count) {
    if (offsets[0] != 0) return {Problem::bad_offset, 0, 0, 0};
    bool good = offsets[bags] == count;
    for (int64_t bag = 0; bag < bags; ++bag) good &= offsets[bag] <= offsets[bag + 1];
    if (good) return {};
    for (int64_t bag = 0; bag < bags; ++bag) {
        if (offsets[bag] > offsets[bag + 1] || offsets[bag + 1] > count) return {Problem::bad_offset, bag, 0, 0};
    }
    return {Problem::bad_offset, bags - 1, 0, 0};
}

// Padding as an id of this type; ids that it cannot be equal to need no comparison.
template <typename Id>
bool padding_fits(const FeatureSpec& feature) {
    return feature.has_padding && static_cast<int64_t>(static_cast<Id>(feature.padding)) == feature.padding;
}

}  // namespace

template <typename Id>
Problem make_streams(const Layout& layout, const Bags<Id>& bags, float* pooled, float* sequences,
                     std::vector<Stream<Id>>& streams) {
    const int64_t features = static_cast<int64_t>(layout.features.size());
    if (bags.offsets != nullptr) {
        const Problem problem = check_offsets(bags.offsets, features * bags.batch, bags.count);
        if (problem.kind != Problem::none) return problem;
    }
    streams.clear();
    streams.reserve(features);
    for (int64_t f = 0; f < features; ++f) {
        const FeatureSpec& feature = layout.features[f];
        const int64_t width = layout.tables[feature.table].width;
        Stream<Id> stream{};
        const int64_t first = bags.offsets == nullptr ? f : bags.offsets[f * bags.batch];
        stream.ids = bags.ids + first;
        stream.weights = bags.weights == nullptr ? nullptr : bags.weights + first;
        stream.stride = bags.offsets == nullptr ? features : 1;
        stream.offsets = bags.offsets == nullptr ? nullptr : bags.offsets + f * bags.batch;
        stream.bags = bags.batch;
        stream.count = bags.offsets == nullptr ? bags.batch : bags.offsets[(f + 1) * bags.batch] - first;
        stream.result = pooled + feature.column;
        stream.result_stride = layout.pooled_width;
        stream.mean = feature.pooling == Pooling::mean;
        stream.has_padding = padding_fits<Id>(feature);
        stream.padding = static_cast<Id>(feature.padding);
        if (feature.pooling == Pooling::none) {
            stream.offsets = nullptr;
            stream.bags = stream.count;
            stream.result = sequences;
            stream.result_stride = width;
            sequences += stream.count * width;
        }
        streams.push_back(stream);
    }
    return {};
}

template <typename Id>
bool ids_are_good(const Stream<Id>& stream, int64_t first, int64_t last, int64_t rows) {
    using Unsigned = std::make_unsigned_t<Id>;  // one comparison finds negative ids too
    const uint64_t most = largest_id<Id>(rows);
    const Id* ids = stream.ids;
    if (stream.has_padding) {
        bool good = true;
        for (int64_t i = first; i < last; ++i) {
            const Id id = ids[i * stream.stride];
            good &= static_cast<Unsigned>(id) <= most || id == stream.padding;
        }
        return good;
    }
    Unsigned largest = 0;
    if (stream.stride == 1) {
        for (int64_t i = first; i < last; ++i) largest = std::max(largest, static_cast<Unsigned>(ids[i]));
    } else {
        for (int64_t i = first; i < last; ++i) {
            largest = std::max(largest, static_cast<Unsigned>(ids[i * stream.stride]));
        }
    }
    return first >= last || largest <= most;
}

template <typename Id>
Problem find_bad_id(const Layout& layout, const std::vector<Stream<Id>>& streams) {
    for (size_t f = 0; f < streams.size(); ++f) {
        const Stream<Id>& stream = streams[f];
        const int64_t rows = layout.tables[layout.features[f].table].rows;
        for (int64_t i = 0; i < stream.count; ++i) {
            if (ids_are_good(stream, i, i + 1, rows)) continue;
            return {Problem::bad_id, static_cast<int64_t>(f), i, stream.ids[i * stream.stride]};
        }
    }
    return {};
}

#define HOTROW_INSTANTIATE(Id)                                                                       \
    template Problem make_streams(const Layout&, const Bags<Id>&, float*, float*, std::vector<Stream<Id>>&); \
    template bool ids_are_good(const Stream<Id>&, int64_t, int64_t, int64_t);                        \
    template Problem find_bad_id(const Layout&, const std::vector<Stream<Id>>&);
HOTROW_INSTANTIATE(int32_t)
HOTROW_INSTANTIATE(int64_t)

}  // namespace hotrow
