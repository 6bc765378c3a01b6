// Lookups: rows to results, of every format.
#include "hotrow/row_kernels.h"

#include <type_traits>

#include "sum_rows.h"

namespace hotrow::HOTROW_ISA {
namespace {

constexpr int64_t kGathered = 256;  // lookups of a bag gathered at once where some may be padding

// Rows of one table by id, with a weight each or none.
template <typename Id>
struct ById {
    const uint8_t* table;
    int64_t row_bytes;
    const Id* ids;
    const float* weights;

    HOTROW_MEMBER const uint8_t* row(int64_t i) const { return table + static_cast<int64_t>(ids[i]) * row_bytes; }
    HOTROW_MEMBER float coefficient(int64_t i) const { return weights[i]; }
};

template <typename Format>
HOTROW_INLINE void read_row(const uint8_t* row, int64_t width, float* out) {
    float scale = 1.0f, bias = 0.0f;
    if constexpr (Format::kQuantised) Format::parameters(row + bytes_of<Format>(width), scale, bias);
    const auto value = [&](const Block& block) __attribute__((always_inline)) {
        return Format::kQuantised ? splat(scale) * block + splat(bias) : block;
    };
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) {
        store(out + column, value(Format::load(row + bytes_of<Format>(column))));
    }
    if (column < width) {
        const int64_t columns = width - column;
        store_float_tail(out + column, value(load_tail<Format>(row + bytes_of<Format>(column), columns)), columns);
    }
}

// Prefetches rows in the order of their lookups, and finds out whether their ids are good before the rows are read.
template <typename Id>
class Fetcher {
    using Unsigned = std::make_unsigned_t<Id>;

public:
    HOTROW_MEMBER Fetcher(const uint8_t* table, int64_t rows, int64_t row_bytes)
        : table_(table), row_bytes_(row_bytes), most_(static_cast<Unsigned>(largest_id<Id>(rows))) {}

    HOTROW_MEMBER void fetch(Id id) {
        const Unsigned unsigned_id = static_cast<Unsigned>(id);  // negative ids are larger than any good one
        largest_ = unsigned_id > largest_ ? unsigned_id : largest_;
        prefetch_bytes(table_ + static_cast<int64_t>(id) * row_bytes_, row_bytes_);
    }
    HOTROW_MEMBER bool good() const { return largest_ <= most_; }

private:
    const uint8_t* table_;
    int64_t row_bytes_;
    Unsigned most_;
    Unsigned largest_ = 0;
};

constexpr int64_t kTogether = 4;  // examples of which the rows of one feature are copied together

template <typename Id>
HOTROW_INLINE bool copy_rows(const uint8_t* const* tables, const TableSpec* specs, int64_t features, const Id* ids,
                             int64_t first, int64_t last, float* out) {
    int64_t stride = 0, bytes = 0;
    for (int64_t f = 0; f < features; ++f) stride += specs[f].width, bytes += specs[f].row_bytes;
    const int64_t lookups = rows_ahead((bytes + features - 1) / features);
    const int64_t ahead = kTogether * ((lookups + kTogether * features - 1) / (kTogether * features));
    bool good = true;
    for (int64_t at = first - ahead; at < last && good; at += kTogether) {
        const int64_t copied = smaller(at + kTogether, last);
        const int64_t fetched = smaller(at + ahead + kTogether, last);
        float* to = out + at * stride;
        for (int64_t f = 0; f < features; ++f) {
            with_rows(specs[f], [&](auto format, int64_t width) __attribute__((always_inline)) {
                using Format = decltype(format);
                const int64_t row_bytes = Format::kQuantised ? specs[f].row_bytes : bytes_of<Format>(width);
                Fetcher<Id> fetcher(tables[f], specs[f].rows, row_bytes);
                for (int64_t e = at + ahead; e < fetched; ++e) fetcher.fetch(ids[e * features + f]);
                good &= fetcher.good();
                if (at < first) return;
                float* result = to;
                for (int64_t e = at; e < copied; ++e, result += stride) {
                    read_row<Format>(tables[f] + static_cast<int64_t>(ids[e * features + f]) * row_bytes, width, result);
                }
            });
            to += specs[f].width;
        }
    }
    return good;
}

HOTROW_INLINE void scale_row(float* row, int64_t width, float factor) {
    for (int64_t column = 0; column < width; ++column) row[column] *= factor;
}

// One bag without padding.
template <typename Format, typename Id>
HOTROW_INLINE void pool_plain(const ById<Id>& rows, int64_t n, int64_t width, bool mean, float* out) {
    if (rows.weights == nullptr) {
        sum_rows<Format, false>(rows, n, width, false, out);
    } else {
        sum_rows<Format, true>(rows, n, width, false, out);
    }
    if (mean && n > 1) scale_row(out, width, 1.0f / static_cast<float>(n));
}

// One bag of which some lookups may be padding.
template <typename Format, typename Id>
HOTROW_INLINE void pool_padded(const ById<Id>& rows, int64_t n, int64_t width, bool mean, Id padding, float* out) {
    Id ids[kGathered];
    float weights[kGathered];
    int64_t real = 0;
    for (int64_t first = 0; first < n;) {
        int64_t gathered = 0;
        for (; first < n && gathered < kGathered; ++first) {
            if (rows.ids[first] == padding) continue;
            ids[gathered] = rows.ids[first];
            weights[gathered++] = rows.weights == nullptr ? 1.0f : rows.weights[first];
        }
        const ById<Id> part{rows.table, rows.row_bytes, ids, weights};
        if (gathered > 0) sum_rows<Format, true>(part, gathered, width, real > 0, out);
        real += gathered;
    }
    if (real == 0) {
        for (int64_t column = 0; column < width; ++column) out[column] = 0.0f;
    } else if (mean && real > 1) {
        scale_row(out, width, 1.0f / static_cast<float>(real));
    }
}

template <typename Format, typename Id>
HOTROW_INLINE bool pool_bags_as(const uint8_t* table, const TableSpec& spec, int64_t width, const Stream<Id>& stream,
                                int64_t first, int64_t last) {
    const int64_t row_bytes = Format::kQuantised ? spec.row_bytes : bytes_of<Format>(width);
    const int64_t ahead = rows_ahead(row_bytes);
    const auto begin_of = [&](int64_t bag) __attribute__((always_inline)) {
        return stream.offsets == nullptr ? bag : stream.offsets[bag] - stream.offsets[0];
    };
    const int64_t end = begin_of(last);
    int64_t fetched = begin_of(first);
    Fetcher<Id> fetcher(table, spec.rows, row_bytes);
    for (int64_t bag = first; bag < last; ++bag) {
        const int64_t from = begin_of(bag), to = begin_of(bag + 1);
        for (const int64_t until = smaller(to + ahead, end); fetched < until; ++fetched) {
            const Id id = stream.ids[fetched * stream.stride];
            if (!(stream.has_padding && id == stream.padding)) fetcher.fetch(id);
        }
        if (!fetcher.good()) return false;
        float* out = stream.result + bag * stream.result_stride;
        const ById<Id> rows{table, row_bytes, stream.ids + from * stream.stride,
                            stream.weights == nullptr ? nullptr : stream.weights + from * stream.stride};
        if (from == to) {
            for (int64_t column = 0; column < width; ++column) out[column] = 0.0f;
        } else if (stream.has_padding) {
            pool_padded<Format>(rows, to - from, width, stream.mean, stream.padding, out);
        } else {
            pool_plain<Format>(rows, to - from, width, stream.mean, out);
        }
    }
    return true;
}

template <typename Id>
HOTROW_INLINE bool pool_bags(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream, int64_t first,
                             int64_t last) {
    bool good = false;
    with_rows(spec, [&](auto format, int64_t width) __attribute__((always_inline)) {
        good = pool_bags_as<decltype(format)>(table, spec, width, stream, first, last);
    });
    return good;
}

template <typename Format>
HOTROW_INLINE float dot_row(const uint8_t* row, const float* gradient, int64_t width) {
    float scale = 1.0f, bias = 0.0f;
    if constexpr (Format::kQuantised) Format::parameters(row + bytes_of<Format>(width), scale, bias);
    const auto value = [&](const Block& block) __attribute__((always_inline)) {
        return Format::kQuantised ? splat(scale) * block + splat(bias) : block;
    };
    Block sum = splat(0.0f);
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) {
        sum = sum + value(Format::load(row + bytes_of<Format>(column))) * load(gradient + column);
    }
    if (column < width) {
        const int64_t columns = width - column;
        sum = sum + value(load_tail<Format>(row + bytes_of<Format>(column), columns)) *
                        load_float_tail(gradient + column, columns);
    }
    return total(sum);
}

template <typename Id>
HOTROW_INLINE void multiply_rows(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream,
                                 int64_t first, int64_t last, float* products) {
    const auto begin_of = [&](int64_t bag) __attribute__((always_inline)) {
        return stream.offsets == nullptr ? bag : stream.offsets[bag] - stream.offsets[0];
    };
    const int64_t row_bytes = spec.row_bytes, ahead = rows_ahead(row_bytes), end = begin_of(last);
    for (int64_t bag = first; bag < last; ++bag) {
        const int64_t from = begin_of(bag), to = begin_of(bag + 1);
        const float* gradient = stream.result + bag * stream.result_stride;
        int64_t real = 0;
        for (int64_t i = from; i < to; ++i) {
            real += !(stream.has_padding && stream.ids[i * stream.stride] == stream.padding);
        }
        const float factor = stream.mean && real > 0 ? 1.0f / static_cast<float>(real) : 1.0f;
        for (int64_t i = from; i < to; ++i) {
            if (i + ahead < end) {
                prefetch_bytes(table + int64_t(stream.ids[(i + ahead) * stream.stride]) * row_bytes, row_bytes);
            }
            const Id id = stream.ids[i * stream.stride];
            float product = 0.0f;
            if (!(stream.has_padding && id == stream.padding)) {
                with_format(spec.format, [&](auto format) __attribute__((always_inline)) {
                    product = factor * dot_row<decltype(format)>(table + int64_t(id) * row_bytes, gradient, spec.width);
                });
            }
            products[i * stream.stride] = product;
        }
    }
}

#define HOTROW_FOR_ID(Id, suffix)                                                                                   \
    bool copy_rows_##suffix(const uint8_t* const* tables, const TableSpec* specs, int64_t features, const Id* ids,  \
                            int64_t first, int64_t last, float* out) {                                              \
        return copy_rows(tables, specs, features, ids, first, last, out);                                                  \
    }                                                                                                               \
    bool pool_bags_##suffix(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream, int64_t first,   \
                            int64_t last) {                                                                         \
        return pool_bags(table, spec, stream, first, last);                                                                \
    }                                                                                                               \
    void multiply_rows_##suffix(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream,              \
                                int64_t first, int64_t last, float* products) {                                     \
        multiply_rows(table, spec, stream, first, last, products);                                                  \
    }
HOTROW_FOR_ID(int32_t, i32)
HOTROW_FOR_ID(int64_t, i64)

}  // namespace

extern const LookupKernels lookup_table;
const LookupKernels lookup_table = {copy_rows_i32, copy_rows_i64,     pool_bags_i32,
                                    pool_bags_i64, multiply_rows_i32, multiply_rows_i64};

}  // namespace hotrow::HOTROW_ISA
