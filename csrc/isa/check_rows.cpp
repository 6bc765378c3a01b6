// Checksums of rows, and the check of lookups against them.
#include "hotrow/checksums.h"

#include <cfloat>

#include "byte_sum.h"
#include "hotrow/row_kernels.h"
#include "row_io.h"

namespace hotrow::HOTROW_ISA {

extern const LookupKernels lookup_table;

namespace {

constexpr double kUnit = 0x1p-24;          // of rounding to float32
constexpr double kSmallest = 0x1p-126;     // what is lost at most where subnormal numbers become zero
constexpr uint32_t kInfinite = 0x7F80;     // as the upper half of a float32
constexpr int64_t kExact = 256;            // a bit that flipped changes a sum of so many rows by less than 2**16
constexpr double kRoundings = 16.0;          // that a number goes through besides additions: weight, scale, mean, ...

HOTROW_INLINE float magnitude_of(const RowChecksum& checksum) {
    return float_of(static_cast<uint32_t>(checksum.magnitude) << 16);
}

// The next larger number of which float32's upper half is all; infinity where there is none.
HOTROW_INLINE uint16_t above(double value) {
    const uint32_t half = (bits_of(static_cast<float>(value)) >> 16) + 1;
    return static_cast<uint16_t>(half < kInfinite ? half : kInfinite);
}

struct Sums {
    double column[kBlock] = {};
    double magnitude[kBlock] = {};

    HOTROW_MEMBER void add(const Block& block) {
        float values[kBlock];
        store(values, block);
        for (int i = 0; i < kBlock; ++i) {
            column[i] += static_cast<double>(values[i]);
            magnitude[i] += static_cast<double>(__builtin_fabsf(values[i]));
        }
    }
    HOTROW_INLINE double total(const double* values) {
        double sum = 0.0;
        for (int i = 0; i < kBlock; ++i) sum += values[i];
        return sum;
    }
};

template <typename Format>
HOTROW_INLINE RowChecksum sum_row(const uint8_t* row, const TableSpec& spec) {
    Sums sums;
    int64_t column = 0;
    for (; column + kBlock <= spec.width; column += kBlock) sums.add(Format::load(row + bytes_of<Format>(column)));
    if (column < spec.width) {
        // The bits after the last code of a quantised row are not part of it.
        float values[kBlock];
        store(values, load_tail<Format>(row + bytes_of<Format>(column), spec.width - column));
        for (int64_t i = spec.width - column; i < kBlock; ++i) values[i] = 0.0f;
        sums.add(load(values));
    }
    double sum = Sums::total(sums.column), magnitude = Sums::total(sums.magnitude);
    const double width = static_cast<double>(spec.width);
    if constexpr (Format::kQuantised) {
        float scale, bias;
        Format::parameters(row + bytes_of<Format>(spec.width), scale, bias);
        sum = static_cast<double>(scale) * sum + width * static_cast<double>(bias);
        magnitude = __builtin_fabs(static_cast<double>(scale)) * magnitude +
                    width * __builtin_fabs(static_cast<double>(bias));
    }
    // At least so much that a unit of rounding covers subnormal numbers.
    if (magnitude < width * (kSmallest / kUnit)) magnitude = width * (kSmallest / kUnit);
    ByteSum bytes;
    bytes.add(row, spec.row_bytes);
    return {static_cast<float>(sum), above(magnitude), static_cast<uint16_t>(bytes.total())};
}

void sum_table(const uint8_t* table, const TableSpec& spec, int64_t first, int64_t last, RowChecksum* checksums) {
    with_format(spec.format, [&](auto format) __attribute__((always_inline)) {
        for (int64_t row = first; row < last; ++row) {
            checksums[row] = sum_row<decltype(format)>(table + row * spec.row_bytes, spec);
        }
    });
}

// What the checksums say of a bag.
struct Expected {
    double sum;        // of weight * sum of the row
    double magnitude;  // of |weight| * magnitude of the row
    int64_t rows;
    bool intact;  // the rows' bytes
};

template <bool kWeighted, bool kPadded, typename Id>
HOTROW_INLINE Expected expect(const RowChecksum* checksums, const uint8_t* table, int64_t row_bytes,
                              const Stream<Id>& stream, int64_t from, int64_t to) {
    double sum = 0.0, magnitude = 0.0;
    int64_t rows = 0;
    bool intact = true;
    for (int64_t i = from; i < to;) {
        ByteSum bytes;
        uint64_t stored = 0;
        for (const int64_t until = smaller(i + kExact, to); i < until; ++i) {
            const Id id = stream.ids[i * stream.stride];
            if (kPadded && id == stream.padding) continue;
            const RowChecksum checksum = checksums[id];
            bytes.add(table + static_cast<int64_t>(id) * row_bytes, row_bytes);
            stored += checksum.bytes;
            const double weight = kWeighted ? static_cast<double>(stream.weights[i * stream.stride]) : 1.0;
            sum += weight * static_cast<double>(checksum.sum);
            magnitude += __builtin_fabs(weight) * static_cast<double>(magnitude_of(checksum));
            ++rows;
        }
        intact &= static_cast<uint16_t>(bytes.total() - stored) == 0;
    }
    return {sum, magnitude, rows, intact};
}

HOTROW_INLINE float sum_result(const float* result, int64_t width) {
    Block sum = splat(0.0f);
    int64_t column = 0;
    for (; column + kBlock <= width; column += kBlock) sum = sum + load(result + column);
    if (column < width) sum = sum + load_float_tail(result + column, width - column);
    return total(sum);
}

enum class Verdict { sound, faulty, unclear };

// How far the sum of a result may be from what the checksums say, per unit of magnitude: the same for
// all bags of so many rows.
struct Bounds {
    int64_t rows;
    double factor;  // of the mean
    double usual;
    double most;
    double lost;  // at most, whatever the magnitude, where subnormal numbers become zero
};

HOTROW_INLINE Bounds bounds_of(int64_t rows, int64_t width, bool mean) {
    const double n = static_cast<double>(rows), columns = static_cast<double>(width);
    const double part = kUnit * (n + columns / kBlock + kRoundings);
    return {rows, mean && rows > 1 ? 1.0 / n : 1.0, 0.75 * kUnit * (1.0 + __builtin_sqrt(n / columns)),
            part + 2.0 * part * part,  // above (1 + kUnit)**k - 1
            (n + kRoundings) * columns * kSmallest};
}

HOTROW_INLINE Verdict judge(const Expected& expected, const Bounds& bounds, const float* result, int64_t width) {
    if (!expected.intact) return Verdict::faulty;
    // Numbers that may overflow, or are no numbers to begin with, cannot be added up.
    if (!(expected.magnitude * (1.0 + bounds.most) < static_cast<double>(FLT_MAX))) return Verdict::unclear;
    const double sum = static_cast<double>(sum_result(result, width));
    const double difference = __builtin_fabs(sum - bounds.factor * expected.sum);
    const double magnitude = bounds.factor * expected.magnitude;
    if (difference <= bounds.usual * magnitude) return Verdict::sound;
    return difference <= bounds.most * magnitude + bounds.lost ? Verdict::unclear : Verdict::faulty;  // NaN is faulty
}

HOTROW_INLINE bool are_same(const float* a, const float* b, int64_t width) {
    for (int64_t i = 0; i < width; ++i) {
        if (!(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i]))) return false;
    }
    return true;
}

HOTROW_INLINE void pool(const uint8_t* table, const TableSpec& spec, const Stream<int32_t>& stream, int64_t bag) {
    lookup_table.pool_bags_i32(table, spec, stream, bag, bag + 1);
}

HOTROW_INLINE void pool(const uint8_t* table, const TableSpec& spec, const Stream<int64_t>& stream, int64_t bag) {
    lookup_table.pool_bags_i64(table, spec, stream, bag, bag + 1);
}

// Looks the bag up once more and compares.
template <typename Id>
__attribute__((noinline)) bool comes_again(const uint8_t* table, const TableSpec& spec, const Stream<Id>& stream,
                                           int64_t bag, float* scratch) {
    Stream<Id> again = stream;
    again.result = scratch;
    again.result_stride = 0;
    pool(table, spec, again, bag);
    return are_same(stream.result + bag * stream.result_stride, scratch, spec.width);
}

template <bool kWeighted, bool kPadded, typename Id>
HOTROW_INLINE int64_t check_bags_as(const RowChecksum* checksums, const uint8_t* table, const TableSpec& spec,
                                    const Stream<Id>& stream, int64_t first, int64_t last, float* scratch) {
    Bounds bounds = bounds_of(1, spec.width, stream.mean);
    for (int64_t bag = first; bag < last; ++bag) {
        const int64_t from = stream.offsets == nullptr ? bag : stream.offsets[bag] - stream.offsets[0];
        const int64_t to = stream.offsets == nullptr ? bag + 1 : stream.offsets[bag + 1] - stream.offsets[0];
        const Expected expected = expect<kWeighted, kPadded>(checksums, table, spec.row_bytes, stream, from, to);
        const float* result = stream.result + bag * stream.result_stride;
        if (expected.rows != bounds.rows) bounds = bounds_of(expected.rows, spec.width, stream.mean);
        const Verdict verdict = judge(expected, bounds, result, spec.width);
        if (verdict == Verdict::sound) continue;
        if (verdict == Verdict::faulty || !comes_again(table, spec, stream, bag, scratch)) return bag;
    }
    return -1;
}

template <typename Id>
HOTROW_INLINE int64_t check_bags(const RowChecksum* checksums, const uint8_t* table, const TableSpec& spec,
                                 const Stream<Id>& stream, int64_t first, int64_t last, float* scratch) {
    const bool is_weighted = stream.weights != nullptr;
    if (stream.has_padding) {
        return is_weighted ? check_bags_as<true, true>(checksums, table, spec, stream, first, last, scratch)
                           : check_bags_as<false, true>(checksums, table, spec, stream, first, last, scratch);
    }
    return is_weighted ? check_bags_as<true, false>(checksums, table, spec, stream, first, last, scratch)
                       : check_bags_as<false, false>(checksums, table, spec, stream, first, last, scratch);
}

#define HOTROW_FOR_ID(Id, suffix)                                                                                    \
    int64_t check_bags_##suffix(const RowChecksum* checksums, const uint8_t* table, const TableSpec& spec,           \
                                const Stream<Id>& stream, int64_t first, int64_t last, float* scratch) {             \
        return check_bags(checksums, table, spec, stream, first, last, scratch);                                              \
    }
HOTROW_FOR_ID(int32_t, i32)
HOTROW_FOR_ID(int64_t, i64)

}  // namespace

extern const CheckKernels check_table;
const CheckKernels check_table = {sum_table, check_bags_i32, check_bags_i64};

}  // namespace hotrow::HOTROW_ISA
