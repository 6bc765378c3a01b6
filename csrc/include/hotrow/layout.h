// What the lookup kernels must know of tables, features and ids. Raw pointers only; shape letters:
// B batch, T tables, F features, L lookups, E rows, D width.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace hotrow {

// How a row lies in memory (see hotrow/kernels/row_formats.py).
enum class RowFormat : int32_t { fp32, fp16, bf16, int8, int4, int2 };

enum class Pooling : int32_t { sum, mean, none };

struct TableSpec {
    int64_t rows;
    int64_t width;
    int64_t row_bytes;
    RowFormat format;
};

struct FeatureSpec {
    int64_t table;
    Pooling pooling;
    bool has_padding;
    int64_t padding;
    int64_t column;  // first column of the pooled result; of no meaning without pooling
};

struct Layout {
    std::vector<TableSpec> tables;
    std::vector<FeatureSpec> features;
    int64_t pooled_width;
};

// (B, F) ids with offsets null, one per bag; or feature-major ids (L,) with offsets (F * B + 1,),
// where bag b of feature f is ids[offsets[f * B + b] .. offsets[f * B + b + 1]).
// weights: shaped as ids, or null.
template <typename Id>
struct Bags {
    const Id* ids;
    const int64_t* offsets;
    const float* weights;
    int64_t batch;
    int64_t count;  // of ids
};

// Why a batch was refused, and where.
struct Problem {
    enum Kind : int64_t { none, bad_id, bad_offset, soft_error } kind = none;
    int64_t where = 0;     // bad_id, soft_error: the feature; bad_offset: the bag f * B + b
    int64_t position = 0;  // bad_id: among the feature's lookups; soft_error: among its stream's bags
    int64_t id = 0;
};

// One feature's part of a batch as bags of lookups, and where their results lie. A feature without
// pooling is a feature of many bags with one lookup each.
template <typename Id>
struct Stream {
    const Id* ids;           // lookup i is ids[i * stride]
    const float* weights;    // laid out as ids, or null
    int64_t stride;
    const int64_t* offsets;  // bag b is [offsets[b] - offsets[0], offsets[b + 1] - offsets[0]); null: one each
    int64_t bags;
    int64_t count;           // of lookups
    float* result;           // bag b's row, or the gradient of it, is at result + b * result_stride
    int64_t result_stride;
    bool mean;
    bool has_padding;
    Id padding;
};

// Cuts a batch into the streams of its features. On a problem with the offsets, returns that; ids are
// not looked at.
template <typename Id>
Problem make_streams(const Layout& layout, const Bags<Id>& bags, float* pooled, float* sequences,
                     std::vector<Stream<Id>>& streams);

// The largest good id of a table, as an unsigned number: ids of 32 bits may not reach its last row, and
// negative ones are larger than any good one.
template <typename Id>
uint64_t largest_id(int64_t rows) {
    return std::min(static_cast<uint64_t>(rows) - 1, static_cast<uint64_t>(std::numeric_limits<Id>::max()));
}

// Whether every id of the lookups [first, last) is within `rows` or is padding.
template <typename Id>
bool ids_are_good(const Stream<Id>& stream, int64_t first, int64_t last, int64_t rows);

// The first bad id of the batch, in order of features; to be called when there is one.
template <typename Id>
Problem find_bad_id(const Layout& layout, const std::vector<Stream<Id>>& streams);

}  // namespace hotrow
