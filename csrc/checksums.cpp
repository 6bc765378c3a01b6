#include "hotrow/checksums.h"

#include <algorithm>

#include "hotrow/checked_pieces.h"
#include "hotrow/embedding_bag.h"
#include "hotrow/threads.h"

namespace hotrow {

void make_checksums(const uint8_t* table, const TableSpec& spec, RowChecksum* checksums, int threads) {
    constexpr int64_t kRows = 4096;  // of one piece of work
    threads = useful_threads(threads, spec.rows * spec.row_bytes);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t first = 0; first < spec.rows; first += kRows) {
        check_kernels().sum_table(table, spec, first, std::min(spec.rows, first + kRows), checksums);
    }
}

template <typename Id>
Problem embedding_bag_verify(const Layout& layout, const uint8_t* const* tables, const RowChecksum* const* checksums,
                             const Bags<Id>& bags, const float* pooled, const float* sequences, int threads) {
    std::vector<Stream<Id>> streams;
    // Streams point to what a lookup writes; here they are only read.
    const Problem problem =
        make_streams(layout, bags, const_cast<float*>(pooled), const_cast<float*>(sequences), streams);
    if (problem.kind != Problem::none) return problem;
    threads = useful_threads(threads, bytes_moved(layout, streams));
    const std::vector<Piece> pieces = cut(streams);
    const int64_t count = static_cast<int64_t>(pieces.size());
    Checker<Id> checker(layout, tables, checksums, streams);
    std::atomic<bool> good{true};
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < count; ++i) {
        if (is_good(layout, streams, pieces[i])) {
            checker.check(pieces[i]);
        } else {
            good = false;
        }
    }
    return good ? checker.problem() : find_bad_id(layout, streams);
}

#define HOTROW_INSTANTIATE(Id)                                                                                      \
    template Problem embedding_bag_verify(const Layout&, const uint8_t* const*, const RowChecksum* const*,         \
                                          const Bags<Id>&, const float*, const float*, int);
HOTROW_INSTANTIATE(int32_t)
HOTROW_INSTANTIATE(int64_t)

}  // namespace hotrow
