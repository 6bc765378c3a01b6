#include <algorithm>
#include <atomic>
#include <memory>

#include "hotrow/embedding_bag.h"
#include "hotrow/sort_lookups.h"
#include "hotrow/table_keys.h"
#include "hotrow/threads.h"

namespace hotrow {
namespace {

constexpr int64_t kLookups = 2048;    // of one piece of updating
constexpr int64_t kLarge = 32768;     // lookups of a table worth splitting by all threads together
constexpr int64_t kHot = 8 * kChunk;  // lookups of a row whose gradients are summed by all threads
constexpr int64_t kPartsEach = 4;     // parts for each thread that make them go round
constexpr int64_t kExamples = 64;     // whose keys are filled together

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

// One table's lookups, and their keys with as much room again.
template <typename Id>
struct Work {
    int64_t table;
    TableKeys<Id> lookups;
    uint64_t* keys;
    uint64_t* spare;
};

// Keys of some of a table's rows, all of these rows' lookups, that are sorted apart.
struct Part {
    int64_t work;
    uint64_t* keys;   // becomes the sorted ones
    uint64_t* spare;  // as much room
    int64_t count;    // becomes that of those that are not padding
    int bits;         // to sort by
    bool is_done;
    std::vector<HotRow> hot_rows;
};

template <typename Id>
class Backward {
public:
    Backward(const Layout& layout, const TableMemory* tables, const Step& step, int threads)
        : layout_(layout), tables_(tables), step_(step), threads_(threads) {}

    // by_example: the ids are (B, F). Returns false, with nothing written, if an id is bad.
    bool run(const std::vector<Stream<Id>>& streams, bool by_example) {
        make_work(streams);
        if (!(by_example ? fill_by_example(streams[0].count) : fill_by_table())) return false;
        for (int64_t w = 0; w < static_cast<int64_t>(works_.size()); ++w) make_parts(w);
        sort_and_update();
        sum_hot_rows();
        update_rest();
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
            works_.push_back({static_cast<int64_t>(t), std::move(lookups), keys, keys + count});
            keys += 2 * count;
        }
    }

    bool is_large(const Work<Id>& work) const {
        return threads_ > 1 && work.lookups.count() >= kLarge && work.lookups.bits() > kPartBits;
    }

    // A few examples at a time for all tables, so that their ids are read from the cache.
    bool fill_by_example(int64_t batch) {
        std::atomic<bool> good{true};
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
        for (int64_t first = 0; first < batch; first += kExamples) {
            bool fine = true;
            for (Work<Id>& work : works_) {
                fine &= work.lookups.fill_examples(first, std::min(batch, first + kExamples), work.keys);
            }
            if (!fine) good = false;
        }
        return good;
    }

    bool fill_by_table() {
        std::atomic<bool> good{true};
        for (Work<Id>& work : works_) {
            if (is_large(work) && !work.lookups.fill(work.keys, threads_)) good = false;
        }
        const int64_t count = static_cast<int64_t>(works_.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t w = 0; w < count; ++w) {
            if (!is_large(works_[w]) && !works_[w].lookups.fill(works_[w].keys, 1)) good = false;
        }
        return good;
    }

    // Tables with many lookups are split by all threads together.
    void make_parts(int64_t index) {
        Work<Id>& work = works_[index];
        const int64_t count = work.lookups.count();
        const int bits = work.lookups.bits();
        if (!is_large(work)) {
            parts_.push_back({index, work.keys, work.spare, count, bits, false, {}});
            return;
        }
        int64_t bounds[(1 << kPartBits) + 1];
        const int left = split_by_row(work.keys, work.spare, count, bits, threads_, bounds);
        for (int part = 0; part < 1 << kPartBits; ++part) {
            const int64_t first = bounds[part], size = bounds[part + 1] - first;
            if (size > 0) parts_.push_back({index, work.spare + first, work.keys + first, size, left, false, {}});
        }
    }

    // Each part by one thread, from the sort to the step while the keys are in its cache; but parts with hot
    // rows, and large ones where there are too few to go round, are stepped later.
    void sort_and_update() {
        const int64_t count = static_cast<int64_t>(parts_.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t i = 0; i < count; ++i) {
            Part& part = parts_[i];
            uint64_t* sorted = sort_by_row(part.keys, part.spare, part.count, part.bits);
            if (sorted != part.keys) std::swap(part.keys, part.spare);
            drop_padding(part);
            find_hot_rows(part);
            part.is_done = part.hot_rows.empty() && (part.count <= kLookups || count >= kPartsEach * threads_);
            if (part.is_done) update(part, 0, part.count);
        }
    }

    void drop_padding(Part& part) const {
        const uint64_t end = static_cast<uint64_t>(layout_.tables[works_[part.work].table].rows) << 32;
        if (part.keys[part.count - 1] < end) return;
        part.count = std::lower_bound(part.keys, part.keys + part.count, end) - part.keys;
    }

    // A row with kHot lookups or more has the same row at two places that are kHot / 2 apart.
    static void find_hot_rows(Part& part) {
        const uint64_t* keys = part.keys;
        constexpr int64_t kStride = kHot / 2;
        for (int64_t i = 0; i + kStride < part.count;) {
            const uint64_t row = keys[i] >> 32;
            if (keys[i + kStride] >> 32 != row) {
                i += kStride;
                continue;
            }
            const int64_t first = std::lower_bound(keys, keys + i, row << 32) - keys;
            const int64_t last = std::lower_bound(keys + i, keys + part.count, (row + 1) << 32) - keys;
            if (last - first >= kHot) part.hot_rows.push_back({first, last - first, nullptr});
            i = last;
        }
    }

    // Fills the sums of the hot rows' chunks.
    void sum_hot_rows() {
        struct Chunk {
            const Part* part;
            int64_t first;
            int64_t count;
            float* sum;
        };
        int64_t floats = 0;
        for (const Part& part : parts_) {
            for (const HotRow& hot : part.hot_rows) floats += chunks_of(hot) * spec_of(part).width;
        }
        if (floats == 0) return;
        hot_sums_.reset(new float[floats]);
        std::vector<Chunk> chunks;
        float* sum = hot_sums_.get();
        for (Part& part : parts_) {
            for (HotRow& hot : part.hot_rows) {
                hot.sums = sum;
                for (int64_t at = 0; at < hot.count; at += kChunk, sum += spec_of(part).width) {
                    chunks.push_back({&part, hot.first + at, std::min(kChunk, hot.count - at), sum});
                }
            }
        }
        const int64_t count = static_cast<int64_t>(chunks.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1)
        for (int64_t i = 0; i < count; ++i) {
            const Chunk& chunk = chunks[i];
            update_kernels().sum_gradients(chunk.part->keys + chunk.first, chunk.count, spec_of(*chunk.part).width,
                                           works_[chunk.part->work].lookups.gradients(), chunk.sum);
        }
    }

    static int64_t chunks_of(const HotRow& hot) { return (hot.count + kChunk - 1) / kChunk; }

    // The parts that are left, in ranges that threads take.
    void update_rest() {
        struct Range {
            const Part* part;
            int64_t first;
        };
        std::vector<Range> ranges;
        for (const Part& part : parts_) {
            for (int64_t first = 0; !part.is_done && first < part.count; first += kLookups) {
                ranges.push_back({&part, first});
            }
        }
        const int64_t count = static_cast<int64_t>(ranges.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads_) if (threads_ > 1 && count > 0)
        for (int64_t i = 0; i < count; ++i) {
            const Part& part = *ranges[i].part;
            update(part, ranges[i].first, std::min(part.count, ranges[i].first + kLookups));
        }
    }

    void update(const Part& part, int64_t first, int64_t last) const {
        const TableSpec& spec = spec_of(part);
        const SortedLookups lookups{part.keys,  first, last, part.count, part.hot_rows.data(),
                                    static_cast<int64_t>(part.hot_rows.size())};
        update_kernels().update_rows(spec, tables_[works_[part.work].table], lookups,
                                     works_[part.work].lookups.gradients(), step_, thread_scratch(spec.width));
    }

    const TableSpec& spec_of(const Part& part) const { return layout_.tables[works_[part.work].table]; }

    const Layout& layout_;
    const TableMemory* tables_;
    const Step& step_;
    int threads_;
    std::vector<Work<Id>> works_;
    std::vector<Part> parts_;
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
    if (Backward<Id>(layout, tables, step, threads).run(streams, bags.offsets == nullptr)) return {};
    return find_bad_id(layout, streams);
}

template Problem embedding_bag_backward(const Layout&, const TableMemory*, const Bags<int32_t>&, const float*,
                                        const float*, const Step&, int);
template Problem embedding_bag_backward(const Layout&, const TableMemory*, const Bags<int64_t>&, const float*,
                                        const float*, const Step&, int);

}  // namespace hotrow
