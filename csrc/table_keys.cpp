#include "hotrow/table_keys.h"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace hotrow {
namespace {

// Over the number of a bag's lookups that are not padding.
template <typename Id>
float mean_factor(const Stream<Id>& stream, int64_t from, int64_t to) {
    int64_t real = to - from;
    if (stream.has_padding) {
        for (int64_t i = from; i < to; ++i) real -= stream.ids[i * stream.stride] == stream.padding;
    }
    return real > 1 ? 1.0f / static_cast<float>(real) : 1.0f;
}

}  // namespace

template <typename Id>
TableKeys<Id>::TableKeys(const TableSpec& table, std::vector<const Stream<Id>*> streams)
    : rows_(table.rows), streams_(std::move(streams)), begins_{0} {
    bool padding = false;
    for (const Stream<Id>* stream : streams_) {
        begins_.push_back(begins_.back() + stream->count);
        padding |= stream->has_padding;
    }
    count_ = begins_.back();
    bits_ = std::bit_width(static_cast<uint64_t>(padding ? rows_ : rows_ - 1));
    direct_ = streams_.size() == 1 && streams_[0]->weights == nullptr && !streams_[0]->mean;
    if (!direct_) {
        where_.resize(count_);
        factors_.resize(count_);
    }
}

template <typename Id>
GradientRows TableKeys<Id>::gradients() const {
    if (!direct_) return {nullptr, 0, where_.data(), factors_.data()};
    return {streams_[0]->result, streams_[0]->result_stride, nullptr, nullptr};
}

template <typename Id>
bool TableKeys<Id>::fill(uint64_t* keys, int threads) {
    if (threads <= 1) return fill_range(0, count_, keys);
    std::vector<char> good(threads);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t s = 0; s < threads; ++s) {
        good[s] = fill_range(count_ * s / threads, count_ * (s + 1) / threads, keys);
    }
    return std::all_of(good.begin(), good.end(), [](char fine) { return fine; });
}

template <typename Id>
bool TableKeys<Id>::fill_examples(int64_t first, int64_t last, uint64_t* keys) {
    bool good = true;
    for (size_t s = 0; s < streams_.size(); ++s) {
        good &= direct_ ? fill_stream<true>(*streams_[s], begins_[s], first, last, keys)
                        : fill_stream<false>(*streams_[s], begins_[s], first, last, keys);
    }
    return good;
}

template <typename Id>
bool TableKeys<Id>::fill_range(int64_t first, int64_t last, uint64_t* keys) {
    bool good = true;
    for (size_t s = 0; s < streams_.size(); ++s) {
        const int64_t begin = begins_[s], from = std::max(first, begin), to = std::min(last, begins_[s + 1]);
        if (from >= to) continue;
        good &= direct_ ? fill_stream<true>(*streams_[s], begin, from - begin, to - begin, keys)
                        : fill_stream<false>(*streams_[s], begin, from - begin, to - begin, keys);
    }
    return good;
}

template <typename Id>
template <bool kDirect>
bool TableKeys<Id>::fill_stream(const Stream<Id>& stream, int64_t begin, int64_t first, int64_t last,
                                uint64_t* keys) {
    using Unsigned = std::make_unsigned_t<Id>;
    const uint64_t most = largest_id<Id>(rows_);
    bool good = true;
    const auto add = [&](int64_t i, int64_t bag, float factor) __attribute__((always_inline)) {
        const Id id = stream.ids[i * stream.stride];
        uint64_t row = static_cast<Unsigned>(id);
        if (stream.has_padding && id == stream.padding) {
            row = static_cast<uint64_t>(rows_);
        } else if (row > most) {
            good = false;
            row = 0;
        }
        keys[begin + i] = row << 32 | static_cast<uint64_t>(kDirect ? bag : begin + i);
        if constexpr (!kDirect) {
            where_[begin + i] = stream.result + bag * stream.result_stride;
            factors_[begin + i] = stream.weights == nullptr ? factor : factor * stream.weights[i * stream.stride];
        }
    };
    if (stream.offsets == nullptr) {
        for (int64_t i = first; i < last; ++i) add(i, i, 1.0f);
        return good;
    }
    const int64_t* offsets = stream.offsets;
    int64_t bag = std::upper_bound(offsets, offsets + stream.bags + 1, offsets[0] + first) - offsets - 1;
    for (int64_t i = first; i < last; ++bag) {
        const int64_t from = offsets[bag] - offsets[0], to = offsets[bag + 1] - offsets[0];
        const float factor = !kDirect && stream.mean ? mean_factor(stream, from, to) : 1.0f;
        for (const int64_t end = std::min(to, last); i < end; ++i) add(i, bag, factor);
    }
    return good;
}

template class TableKeys<int32_t>;
template class TableKeys<int64_t>;

}  // namespace hotrow
