// Lookups: rows to results, of every format.
#include "hotrow/row_kernels.h"

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

template <typename Id>
HOTROW_INLINE void copy_rows(const uint8_t* const* tables, const TableSpec* specs, int64_t features, const Id* ids,
                             int64_t first, int64_t last, float* out) {
    int64_t stride = 0, bytes = 0;
    for (int64_t f = 0; f < features; ++f) stride += specs[f].width, bytes += specs[f].row_bytes;
    const int64_t lookups = rows_ahead((bytes + features - 1) / features);
    const int64_t ahead = (lookups + features - 1) / features * features;  // whole examples
    const int64_t end = last * features;
    float* to = out + first * stride;
    int64_t at = first * features;
    for (int64_t next = at; next < smaller(at + ahead, end); next += features) {
        for (int64_t f = 0; f < features; ++f) {
            prefetch_bytes(tables[f] + int64_t(ids[next + f]) * specs[f].row_bytes, specs[f].row_bytes);
        }
    }
    while (at < end) {
        for (int64_t f = 0; f < features; ++f, ++at) {
            const TableSpec& spec = specs[f];
            if (at + ahead < end) {
                prefetch_bytes(tables[f] + int64_t(ids[at + ahead]) * spec.row_bytes, spec.row_bytes);
            }
            const uint8_t* row = tables[f] + int64_t(ids[at]) * spec.row_bytes;
            if (spec.format == RowFormat::fp32) {
                read_row<Fp32>(row, spec.width, to);
            } else {
                with_format(spec.format, [&](auto format) __attribute__((always_inline)) {
                    read_row<decltype(format)>(row, spec.width, to);
                });
            }
            to += spec.width;
        }
    }
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
HOTROW_INLINE void pool_bags_as(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream, int64_t first,
                                int64_t last) {
    const int64_t width = spec.width, row_bytes = spec.row_bytes, ahead = rows_ahead(row_bytes);
    const auto begin_of = [&](int64_t bag) __attribute__((always_inline)) {
        return stream.offsets == nullptr ? bag : stream.offsets[bag] - stream.offsets[0];
    };
    const int64_t end = begin_of(last);
    int64_t fetched = begin_of(first);
    for (int64_t bag = first; bag < last; ++bag) {
        const int64_t from = begin_of(bag), to = begin_of(bag + 1);
        for (const int64_t until = smaller(to + ahead, end); fetched < until; ++fetched) {
            prefetch_bytes(table + int64_t(stream.ids[fetched * stream.stride]) * row_bytes, row_bytes);
        }
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
}

template <typename Id>
HOTROW_INLINE void pool_bags(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream, int64_t first,
                             int64_t last) {
    with_format(spec.format, [&](auto format) __attribute__((always_inline)) {
        pool_bags_as<decltype(format)>(table, spec, stream, first, last);
    });
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
    void copy_rows_##suffix(const uint8_t* const* tables, const TableSpec* specs, int64_t features, const Id* ids,  \
                            int64_t first, int64_t last, float* out) {                                              \
        copy_rows(tables, specs, features, ids, first, last, out);                                                  \
    }                                                                                                               \
    void pool_bags_##suffix(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream, int64_t first,   \
                            int64_t last) {                                                                         \
        pool_bags(table, spec, stream, first, last);                                                                \
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
