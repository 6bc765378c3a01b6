#include <algorithm>
#include <atomic>
#include <memory>

#include "hotrow/embedding_bag.h"
#include "hotrow/sort_lookups.h"
#include "hotrow/table_keys.h"
#include "hotrow/threads.h"

namespace hotrow {
namespace {

constexpr int64_t kLookups = 2048;     // of one piece of updating
constexpr int64_t kLarge = 32768;      // lookups of a table worth sorting by all threads together
constexpr int64_t kHot = 8 * kChunk;   // lookups of a row whose gradients are summed by all threads

// Memory kept from step to step by the calling thread.
class Arena {
public:
    uint64_t* keys(int64_t count) {
        if (count > size_) {
            size_ = count + count / 4;
            memory_.reset(new uint64_t[size_]);
        }
        return memory_.get();
    }

private:
    std::unique_ptr<uint64_t[]> memory_;
    int64_t size_ = 0;
};

Arena& arena() {
    static thread_local Arena kept;
    return kept;
}

float* thread_scratch(int64_t width) {
    static thread_local std::vector<float> scratch;
    const size_t size = static_cast<size_t>(4 * ((width + 15) & ~int64_t{15}));
    if (scratch.size() < size) scratch.resize(size);
    return scratch.data();
}

// One table's lookups on their way to sorted keys.
template <typename Id>
struct Work {
    int64_t table;
    TableKeys<Id> lookups;
    uint64_t* keys;    // filled here,
    uint64_t* spare;   // with as much room here,
    uint64_t* sorted;  // and in the end in one of the two
    int64_t count;     // of those that are not padding
    std::vector<int64_t> bounds;  // of parts that are sorted apart; empty if the table is sorted whole
    int bits;                     // left to sort by
    std::vector<HotRow> hot_rows;
};

// A part of a table's keys to be sorted, or a range of them to be worked on.
struct Range {
    int64_t work;
    int64_t first;
    int64_t last;
};

template <typename Id>
class Backward {
public:
    Backward(const Layout& layout, const TableMemory* tables, const Step& step, int threads)
        : layout_(layout), tables_(tables), step_(step), threads_(threads) {}

    // Returns false, with nothing written, if an id is bad.
    bool run(const std::vector<Stream<Id>>& streams) {
        make_work(streams);
        if (!sort()) return false;
        for (Work<Id>& work : works_) {
            drop_padding(work);
            find_hot_rows(work);
        }
        sum_hot_rows();
        update();
        return true;
    }

private:
    void make_work(const std::vector<Stream<Id>>& streams) {
        std::vector<std::vector<const Stream<Id>*>> of_table(layout_.tables.size());
        int64_t total = 0;
        for (size_t f = 0; f < streams.size(); ++f) {
            of_table[layout_.features[f].table].push_back(&streams[f]);
            total += streams[f].count;
        }
        uint64_t* keys = arena().keys(2 * total);
        for (size_t t = 0; t < of_table.size(); ++t) {
            TableKeys<Id> lookups(layout_.tables[t], std::move(of_table[t]));
            const int64_t count = lookups.count();
            if (count == 0) continue;
            const int bits = lookups.bits();
            works_.push_back({static_cast<int64_t>(t), std::move(lookups), keys, keys + count, nullptr, count, {}, bits, {}});
            keys += 2 * count;
        }
    }

    bool is_large(const Work<Id>& work) const {
        return threads_ > 1 && work.count >= kLarge && work.bits > kPartBits;
    }

    // Tables with many lookups are split by all threads together; then the parts and the other tables
    // are sorted, each by one thread.
    bool sort() {
        std::vector<Range> ranges;
        std::atomic<bool> good{true};
        for (size_t w = 0; w < works_.size(); ++w) {
            Work<Id>& work = works_[w];
            if (!is_large(work)) {
                ranges.push_back({static_cast<int64_t>(w), 0, work.count});
                continue;
            }
            if (!work.lookups.fill(work.keys, threads_)) good = false;
            work.bounds.resize((1 << kPartBits) + 1);
            work.bits = split_by_row(work.keys, work.spare, work.count, work.bits, threads_, work.bounds.data());
            work.sorted = work.spare;
            for (size_t part = 0; part + 1 < work.bounds.size(); ++part) {
                ranges.push_back({static_cast<int64_t>(w), work.bounds[part], work.bounds[part + 1]});
            }
        }
        const int64_t count = static_cast<int64_t>(ranges.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t i = 0; i < count; ++i) {
            if (!sort_range(ranges[i])) good = false;
        }
        return good;
    }

    bool sort_range(const Range& range) {
        Work<Id>& work = works_[range.work];
        const int64_t n = range.last - range.first;
        if (work.bounds.empty()) {
            const bool good = work.lookups.fill(work.keys, 1);
            work.sorted = sort_by_row(work.keys, work.spare, n, work.bits);
            return good;
        }
        uint64_t* part = work.sorted + range.first;
        const uint64_t* sorted = sort_by_row(part, work.keys + range.first, n, work.bits);
        if (sorted != part) std::copy_n(sorted, n, part);
        return true;
    }

    void drop_padding(Work<Id>& work) const {
        const uint64_t end = static_cast<uint64_t>(layout_.tables[work.table].rows) << 32;
        if (work.sorted[work.count - 1] < end) return;
        work.count = std::lower_bound(work.sorted, work.sorted + work.count, end) - work.sorted;
    }

    // A row with kHot lookups or more has the same row at two places that are kHot / 2 apart.
    void find_hot_rows(Work<Id>& work) {
        const uint64_t* keys = work.sorted;
        constexpr int64_t kStride = kHot / 2;
        for (int64_t i = 0; i + kStride < work.count;) {
            const uint64_t row = keys[i] >> 32;
            if (keys[i + kStride] >> 32 != row) {
                i += kStride;
                continue;
            }
            const int64_t first = std::lower_bound(keys, keys + i, row << 32) - keys;
            const int64_t last = std::lower_bound(keys + i, keys + work.count, (row + 1) << 32) - keys;
            if (last - first >= kHot) work.hot_rows.push_back({first, last - first, nullptr});
            i = last;
        }
    }

    // Fills the sums of the hot rows' chunks.
    void sum_hot_rows() {
        struct Chunk {
            int64_t work;
            int64_t first;
            int64_t count;
            float* sum;
        };
        int64_t floats = 0;
        for (const Work<Id>& work : works_) {
            for (const HotRow& hot : work.hot_rows) floats += chunks_of(hot) * layout_.tables[work.table].width;
        }
        if (floats == 0) return;
        hot_sums_.reset(new float[floats]);
        std::vector<Chunk> chunks;
        float* sum = hot_sums_.get();
        for (size_t w = 0; w < works_.size(); ++w) {
            const int64_t width = layout_.tables[works_[w].table].width;
            for (HotRow& hot : works_[w].hot_rows) {
                hot.sums = sum;
                for (int64_t at = 0; at < hot.count; at += kChunk, sum += width) {
                    chunks.push_back({static_cast<int64_t>(w), hot.first + at, std::min(kChunk, hot.count - at), sum});
                }
            }
        }
        const int64_t count = static_cast<int64_t>(chunks.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t i = 0; i < count; ++i) {
            const Chunk& chunk = chunks[i];
            const Work<Id>& work = works_[chunk.work];
            update_kernels().sum_gradients(work.sorted + chunk.first, chunk.count, layout_.tables[work.table].width,
                                           work.lookups.gradients(), chunk.sum);
        }
    }

    static int64_t chunks_of(const HotRow& hot) { return (hot.count + kChunk - 1) / kChunk; }

    void update() {
        std::vector<Range> ranges;
        for (size_t w = 0; w < works_.size(); ++w) {
            for (int64_t first = 0; first < works_[w].count; first += kLookups) {
                ranges.push_back({static_cast<int64_t>(w), first, std::min(works_[w].count, first + kLookups)});
            }
        }
        const int64_t count = static_cast<int64_t>(ranges.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t i = 0; i < count; ++i) {
            const Range& range = ranges[i];
            const Work<Id>& work = works_[range.work];
            const TableSpec& spec = layout_.tables[work.table];
            const SortedLookups lookups{work.sorted,          range.first,
                                        range.last,           work.count,
                                        work.hot_rows.data(), static_cast<int64_t>(work.hot_rows.size())};
            update_kernels().update_rows(spec, tables_[work.table], lookups, work.lookups.gradients(), step_,
                                         thread_scratch(spec.width));
        }
    }

    const Layout& layout_;
    const TableMemory* tables_;
    const Step& step_;
    int threads_;
    std::vector<Work<Id>> works_;
    std::unique_ptr<float[]> hot_sums_;
};

}  // namespace

template <typename Id>
Problem embedding_bag_backward(const Layout& layout, const TableMemory* tables, const Bags<Id>& bags,
                               const float* pooled, const float* sequences, const Step& step, int threads) {
    std::vector<Stream<Id>> streams;
    // Streams point to what a lookup writes; here they are only read.
    const Problem problem =
        make_streams(layout, bags, const_cast<float*>(pooled), const_cast<float*>(sequences), streams);
    if (problem.kind != Problem::none) return problem;
    threads = useful_threads(threads, bytes_moved(layout, streams));
    if (Backward<Id>(layout, tables, step, threads).run(streams)) return {};
    return find_bad_id(layout, streams);
}

template Problem embedding_bag_backward(const Layout&, const TableMemory*, const Bags<int32_t>&, const float*,
                                        const float*, const Step&, int);
template Problem embedding_bag_backward(const Layout&, const TableMemory*, const Bags<int64_t>&, const float*,
                                        const float*, const Step&, int);

}  // namespace hotrow
