#include <algorithm>
#include <atomic>

#include "hotrow/checked_pieces.h"
#include "hotrow/embedding_bag.h"
#include "hotrow/threads.h"

namespace hotrow {
namespace {

// With one id per bag: pieces of work for each thread, and the fewest examples of one; and the examples of one
// that is checked, so that its rows are still in the cache.
constexpr int64_t kPieces = 4;
constexpr int64_t kExamples = 32;
constexpr int64_t kCheckedExamples = 16;

// One id per bag, all summed, nothing else to be done to a row than to copy it.
template <typename Id>
bool is_plain(const Layout& layout, const Bags<Id>& bags) {
    if (bags.offsets != nullptr || bags.weights != nullptr) return false;
    return std::none_of(layout.features.begin(), layout.features.end(), [](const FeatureSpec& feature) {
        return feature.has_padding || feature.pooling == Pooling::none;
    });
}

template <typename Id>
bool copy_examples(const Layout& layout, const uint8_t* const* tables, const Bags<Id>& bags, float* pooled,
                   Checker<Id>& checker, int threads) {
    const int64_t features = static_cast<int64_t>(layout.features.size());
    std::vector<TableSpec> specs;
    std::vector<const uint8_t*> memory;
    for (const FeatureSpec& feature : layout.features) {
        specs.push_back(layout.tables[feature.table]);
        memory.push_back(tables[feature.table]);
    }
    const int64_t each = bags.batch / (kPieces * threads) + 1;
    const int64_t examples = checker.is_on() ? kCheckedExamples : std::max(kExamples, each);
    const int64_t pieces = (bags.batch + examples - 1) / examples;
    std::atomic<bool> good{true};
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const int64_t first = piece * examples, last = std::min(bags.batch, first + examples);
        for (int64_t f = 0; checker.is_on() && f < features; ++f) checker.prefetch({f, first, last});
        const bool fine = [&] {
            const LookupKernels& kernels = lookup_kernels();
            if constexpr (sizeof(Id) == 4) {
                return kernels.copy_rows_i32(memory.data(), specs.data(), features, bags.ids, first, last, pooled);
            } else {
                return kernels.copy_rows_i64(memory.data(), specs.data(), features, bags.ids, first, last, pooled);
            }
        }();
        if (!fine) {
            good = false;
            continue;
        }
        for (int64_t f = 0; checker.is_on() && f < features; ++f) checker.check({f, first, last});
    }
    return good;
}

template <typename Id>
bool pool(const Layout& layout, const uint8_t* const* tables, const std::vector<Stream<Id>>& streams,
          Checker<Id>& checker, int threads) {
    const std::vector<Piece> pieces = cut(
        streams, [&](int64_t feature) { return checker.is_on() ? checked_lookups(layout, feature) : kLookups; });
    const int64_t count = static_cast<int64_t>(pieces.size());
    std::atomic<bool> good{true};
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < count; ++i) {
        const Piece& piece = pieces[i];
        const int64_t table = layout.features[piece.feature].table;
        const TableSpec& spec = layout.tables[table];
        if (checker.is_on()) checker.prefetch(piece);
        const bool fine = [&] {
            const LookupKernels& kernels = lookup_kernels();
            if constexpr (sizeof(Id) == 4) {
                return kernels.pool_bags_i32(tables[table], spec, streams[piece.feature], piece.first, piece.last);
            } else {
                return kernels.pool_bags_i64(tables[table], spec, streams[piece.feature], piece.first, piece.last);
            }
        }();
        if (!fine) {
            good = false;
            continue;
        }
        if (checker.is_on()) checker.check(piece);
    }
    return good;
}

}  // namespace

template <typename Id>
Problem embedding_bag_forward(const Layout& layout, const uint8_t* const* tables, const RowChecksum* const* checksums,
                              const Bags<Id>& bags, float* pooled, float* sequences, int threads) {
    std::vector<Stream<Id>> streams;
    const Problem problem = make_streams(layout, bags, pooled, sequences, streams);
    if (problem.kind != Problem::none) return problem;
    threads = useful_threads(threads, bytes_moved(layout, streams));
    Checker<Id> checker(layout, tables, checksums, streams);
    const bool good = is_plain(layout, bags) ? copy_examples(layout, tables, bags, pooled, checker, threads)
                                             : pool(layout, tables, streams, checker, threads);
    return good ? checker.problem() : find_bad_id(layout, streams);
}

template <typename Id>
Problem embedding_bag_weights_gradient(const Layout& layout, const uint8_t* const* tables, const Bags<Id>& bags,
                                       const float* pooled, const float* sequences, float* products, int threads) {
    std::vector<Stream<Id>> streams;
    // Streams point to what a lookup writes; here they are only read.
    const Problem problem =
        make_streams(layout, bags, const_cast<float*>(pooled), const_cast<float*>(sequences), streams);
    if (problem.kind != Problem::none) return problem;
    threads = useful_threads(threads, bytes_moved(layout, streams));
    const std::vector<Piece> pieces = cut(streams);
    const int64_t count = static_cast<int64_t>(pieces.size());
    std::atomic<bool> good{true};
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < count; ++i) {
        const Piece& piece = pieces[i];
        const Stream<Id>& stream = streams[piece.feature];
        const int64_t table = layout.features[piece.feature].table;
        const TableSpec& spec = layout.tables[table];
        float* to = products + (stream.ids - bags.ids);
        if (!is_good(layout, streams, piece)) {
            good = false;
        } else if constexpr (sizeof(Id) == 4) {
            lookup_kernels().multiply_rows_i32(tables[table], spec, stream, piece.first, piece.last, to);
        } else {
            lookup_kernels().multiply_rows_i64(tables[table], spec, stream, piece.first, piece.last, to);
        }
    }
    return good ? Problem{} : find_bad_id(layout, streams);
}

#define HOTROW_INSTANTIATE(Id)                                                                                  \
    template Problem embedding_bag_forward(const Layout&, const uint8_t* const*, const RowChecksum* const*,     \
                                           const Bags<Id>&, float*, float*, int);                               \
    template Problem embedding_bag_weights_gradient(const Layout&, const uint8_t* const*, const Bags<Id>&,      \
                                                    const float*, const float*, float*, int);
HOTROW_INSTANTIATE(int32_t)
HOTROW_INSTANTIATE(int64_t)

}  // namespace hotrow
