#include "hotrow/embedding_bag.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <type_traits>
#include <vector>

#include "hotrow/lookups.h"

namespace hotrow {
namespace {

constexpr int64_t kWorthAThread = 32768;  // floats moved for which another thread pays
constexpr int64_t kExamples = 64;         // examples of one piece of forward work

int useful_threads(int threads, int64_t floats) {
    return static_cast<int>(std::clamp<int64_t>(floats / kWorthAThread, 1, std::max(threads, 1)));
}

int64_t sum_of_widths(const Tables& tables) {
    return std::accumulate(tables.widths, tables.widths + tables.count, int64_t{0});
}

template <typename Id>
TableLookups<Id> lookups_of(const Tables& tables, const Bags<Id>& bags, int64_t table) {
    if (bags.offsets == nullptr) return {bags.ids + table, tables.count, nullptr, bags.batch, bags.batch};
    const int64_t* offsets = bags.offsets + table * bags.batch;
    return {bags.ids + offsets[0], 1, offsets, bags.batch, offsets[bags.batch] - offsets[0]};
}

template <typename Id>
int64_t count_lookups(const Tables& tables, const Bags<Id>& bags) {
    return bags.offsets == nullptr ? bags.batch * tables.count : bags.offsets[tables.count * bags.batch];
}

// Ids as unsigned numbers, so that one comparison finds negative ones too.
template <typename Id>
void raise_largest(const Id* ids, int64_t count, int64_t tables, std::make_unsigned_t<Id>* largest) {
    if constexpr (sizeof(Id) == 4) {
        row_kernels().largest_ids_i32(reinterpret_cast<const uint32_t*>(ids), count, tables, largest);
    } else {
        row_kernels().largest_ids_i64(reinterpret_cast<const uint64_t*>(ids), count, tables, largest);
    }
}

template <typename Id>
BadId find_bad_id(const Tables& tables, const Bags<Id>& bags) {
    const auto is_bad = [&tables](int64_t table, Id id) { return id < 0 || id >= tables.rows[table]; };
    std::vector<std::make_unsigned_t<Id>> largest(tables.count, 0);
    if (bags.offsets == nullptr) {
        raise_largest(bags.ids, bags.batch, tables.count, largest.data());
    } else {
        for (int64_t table = 0; table < tables.count; ++table) {
            const TableLookups<Id> lookups = lookups_of(tables, bags, table);
            raise_largest(lookups.ids, lookups.count, 1, &largest[table]);
        }
    }
    for (int64_t table = 0; table < tables.count; ++table) {
        if (!is_bad(table, static_cast<Id>(largest[table]))) continue;
        const TableLookups<Id> lookups = lookups_of(tables, bags, table);
        for (int64_t i = 0; i < lookups.count; ++i) {
            const Id id = lookups.ids[i * lookups.stride];
            if (is_bad(table, id)) return {table, id};
        }
    }
    return {};
}

template <typename Id>
void copy_examples(const Tables& tables, const Bags<Id>& bags, int64_t first, int64_t last, float* out) {
    const float* const* weights = tables.weights;
    if constexpr (sizeof(Id) == 4) {
        row_kernels().copy_rows_i32(weights, tables.widths, tables.count, bags.ids, first, last, out);
    } else {
        row_kernels().copy_rows_i64(weights, tables.widths, tables.count, bags.ids, first, last, out);
    }
}

// Pools bags [first, last) of one table, whose columns of out start at `out`.
template <typename Id>
void pool_examples(const Tables& tables, const Bags<Id>& bags, int64_t table, int64_t first, int64_t last,
                   float* out, int64_t stride) {
    const float* weight = tables.weights[table];
    const int64_t width = tables.widths[table];
    const int64_t* offsets = bags.offsets + table * bags.batch + first;
    float* to = out + first * stride;
    if constexpr (sizeof(Id) == 4) {
        row_kernels().pool_bags_i32(weight, width, bags.ids, offsets, last - first, to, stride);
    } else {
        row_kernels().pool_bags_i64(weight, width, bags.ids, offsets, last - first, to, stride);
    }
}

// One thread's piece of backward: a part of a table's rows.
struct Task {
    int64_t table;
    int64_t part;
    int64_t column;
};

template <typename Id>
class Backward {
public:
    Backward(const Tables& tables, const Bags<Id>& bags, const float* grad, const Optimizer& optimizer)
        : tables_(tables), bags_(bags), grad_(grad), optimizer_(optimizer), stride_(sum_of_widths(tables)) {}

    void run(int threads) {
        const std::vector<Task> tasks = plan(threads);
        const int64_t count = static_cast<int64_t>(tasks.size());
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
        for (int64_t i = 0; i < count; ++i) update(tasks[i]);
    }

private:
    std::vector<Task> plan(int threads) {
        std::vector<Task> tasks;
        partitions_.resize(tables_.count);
        for (int64_t table = 0, column = 0; table < tables_.count; column += tables_.widths[table++]) {
            const TableLookups<Id> lookups = lookups_of(tables_, bags_, table);
            const int64_t parts = count_parts(lookups.count);
            if (parts > 1) {
                partitions_[table] = std::make_unique<Partition>();
                partition_by_row(lookups, parts, threads, *partitions_[table]);
            }
            for (int64_t part = 0; part < parts; ++part) tasks.push_back({table, part, column});
        }
        return tasks;
    }

    void update(const Task& task) const {
        const TableLookups<Id> lookups = lookups_of(tables_, bags_, task.table);
        const Partition* partition = partitions_[task.table].get();
        const int64_t first = partition == nullptr ? 0 : partition->starts[task.part];
        const int64_t n = partition == nullptr ? lookups.count : partition->starts[task.part + 1] - first;
        if (n == 0) return;
        Scratch& scratch = thread_scratch();
        scratch.reserve(n, tables_.widths[task.table]);
        const int64_t* rows = scratch.rows.data();
        const int32_t* bags = scratch.bags.data();
        if (partition == nullptr) {
            expand(lookups, 0, n, scratch.rows.data(), scratch.bags.data());
        } else {
            rows = partition->rows.data() + first;
            bags = partition->bags.data() + first;
        }
        const RowGroups groups = group_by_row(rows, bags, n, tables_.rows[task.table], scratch);
        row_kernels().update_rows(tables_.weights[task.table],
                                  optimizer_.states == nullptr ? nullptr : optimizer_.states[task.table],
                                  tables_.widths[task.table], groups, grad_ + task.column, stride_,
                                  optimizer_.learning_rate, optimizer_.epsilon, scratch.gradient.data());
    }

    const Tables& tables_;
    const Bags<Id>& bags_;
    const float* grad_;
    const Optimizer& optimizer_;
    int64_t stride_;
    std::vector<std::unique_ptr<Partition>> partitions_;  // null: the table is grouped whole
};

}  // namespace

template <typename Id>
BadId embedding_bag_forward(const Tables& tables, const Bags<Id>& bags, float* out, int threads) {
    const BadId bad = find_bad_id(tables, bags);
    if (bad.table >= 0) return bad;
    const int64_t stride = sum_of_widths(tables), batch = bags.batch;
    const int64_t pieces = (batch + kExamples - 1) / kExamples;
    const int64_t floats = count_lookups(tables, bags) * (stride / tables.count);
    threads = useful_threads(threads, floats);
    if (bags.offsets == nullptr) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (int64_t piece = 0; piece < pieces; ++piece) {
            copy_examples(tables, bags, piece * kExamples, std::min(batch, (piece + 1) * kExamples), out);
        }
        return bad;
    }
    std::vector<int64_t> columns(tables.count, 0);
    std::partial_sum(tables.widths, tables.widths + tables.count - 1, columns.begin() + 1);
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t task = 0; task < tables.count * pieces; ++task) {
        const int64_t table = task / pieces, first = task % pieces * kExamples;
        pool_examples(tables, bags, table, first, std::min(batch, first + kExamples), out + columns[table], stride);
    }
    return bad;
}

template <typename Id>
BadId embedding_bag_backward(const Tables& tables, const Bags<Id>& bags, const float* grad,
                             const Optimizer& optimizer, int threads) {
    const BadId bad = find_bad_id(tables, bags);
    if (bad.table >= 0) return bad;
    const int64_t floats = count_lookups(tables, bags) * (sum_of_widths(tables) / tables.count);
    Backward<Id>(tables, bags, grad, optimizer).run(useful_threads(threads, floats));
    return bad;
}

template BadId embedding_bag_forward(const Tables&, const Bags<int32_t>&, float*, int);
template BadId embedding_bag_forward(const Tables&, const Bags<int64_t>&, float*, int);
template BadId embedding_bag_backward(const Tables&, const Bags<int32_t>&, const float*, const Optimizer&, int);
template BadId embedding_bag_backward(const Tables&, const Bags<int64_t>&, const float*, const Optimizer&, int);

}  // namespace hotrow
