#include "bindings.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "hotrow/embedding_bag.h"
#include "hotrow/rounding.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Addresses = std::vector<uintptr_t>;
// Addresses of ids, whether they are int64, addresses of offsets and weights or 0, B, and the number of ids.
using Batch = std::tuple<uintptr_t, bool, uintptr_t, uintptr_t, int64_t, int64_t>;
using Found = std::optional<std::tuple<int64_t, int64_t, int64_t, int64_t>>;
using Table = std::tuple<int64_t, int64_t, int64_t, int>;                  // rows, width, row bytes, format
using Feature = std::tuple<int64_t, int, std::optional<int64_t>, int64_t>;  // table, pooling, padding, column

hotrow::Layout make_layout(const std::vector<Table>& tables, const std::vector<Feature>& features, int64_t width) {
    hotrow::Layout layout{{}, {}, width};
    for (const auto& [rows, columns, bytes, format] : tables) {
        layout.tables.push_back({rows, columns, bytes, static_cast<hotrow::RowFormat>(format)});
    }
    for (const auto& [table, pooling, padding, column] : features) {
        layout.features.push_back(
            {table, static_cast<hotrow::Pooling>(pooling), padding.has_value(), padding.value_or(0), column});
    }
    return layout;
}

template <typename Id>
hotrow::Bags<Id> bags_of(const Batch& batch) {
    const auto& [ids, is_wide, offsets, weights, size, count] = batch;
    return {reinterpret_cast<const Id*>(ids), reinterpret_cast<const int64_t*>(offsets),
            reinterpret_cast<const float*>(weights), size, count};
}

// Calls `run` with the bags in the type that ids have.
template <typename Run>
Found with_bags(const Batch& batch, Run run) {
    hotrow::Problem problem;
    {
        nb::gil_scoped_release nogil;
        problem = std::get<1>(batch) ? run(bags_of<int64_t>(batch)) : run(bags_of<int32_t>(batch));
    }
    if (problem.kind == hotrow::Problem::none) return {};
    return Found{{static_cast<int64_t>(problem.kind), problem.where, problem.position, problem.id}};
}

float* floats(uintptr_t address) { return reinterpret_cast<float*>(address); }

const uint8_t* const* pointers(const Addresses& addresses) {
    static_assert(sizeof(uint8_t*) == sizeof(uintptr_t));
    return reinterpret_cast<const uint8_t* const*>(addresses.data());
}

// Null where there are none.
const hotrow::RowChecksum* const* checksum_pointers(const Addresses& addresses) {
    if (addresses.empty()) return nullptr;
    return reinterpret_cast<const hotrow::RowChecksum* const*>(addresses.data());
}

Found forward(const hotrow::Layout& layout, const Addresses& tables, const Addresses& checksums, const Batch& batch,
              uintptr_t pooled, uintptr_t sequences, int threads) {
    return with_bags(batch, [&](const auto& bags) {
        return hotrow::embedding_bag_forward(layout, pointers(tables), checksum_pointers(checksums), bags,
                                             floats(pooled), floats(sequences), threads);
    });
}

Found verify(const hotrow::Layout& layout, const Addresses& tables, const Addresses& checksums, const Batch& batch,
             uintptr_t pooled, uintptr_t sequences, int threads) {
    return with_bags(batch, [&](const auto& bags) {
        return hotrow::embedding_bag_verify(layout, pointers(tables), checksum_pointers(checksums), bags,
                                            floats(pooled), floats(sequences), threads);
    });
}

void make_checksums(const hotrow::Layout& layout, int64_t table, uintptr_t rows, uintptr_t checksums, int threads) {
    nb::gil_scoped_release nogil;
    hotrow::make_checksums(reinterpret_cast<const uint8_t*>(rows), layout.tables[table],
                           reinterpret_cast<hotrow::RowChecksum*>(checksums), threads);
}

Found weights_gradient(const hotrow::Layout& layout, const Addresses& tables, const Batch& batch, uintptr_t pooled,
                       uintptr_t sequences, uintptr_t products, int threads) {
    return with_bags(batch, [&](auto bags) {
        bags.weights = nullptr;
        return hotrow::embedding_bag_weights_gradient(layout, pointers(tables), bags, floats(pooled),
                                                      floats(sequences), floats(products), threads);
    });
}

// A step, and what the salts of tables come from.
struct Update {
    hotrow::Step step;
    uint64_t seed;
    uint64_t number;
};

Update make_update(int kind, float lr, float eps, double beta1, double beta2, float decay, bool decoupled,
                   std::optional<float> clip_value, std::optional<float> clip_norm, int64_t step, bool stochastic,
                   uint64_t seed) {
    const float none = std::numeric_limits<float>::infinity();
    const double steps = static_cast<double>(step);
    return {{static_cast<hotrow::OptimizerKind>(kind),
            lr,
            eps,
            static_cast<float>(beta1),
            static_cast<float>(beta2),
            static_cast<float>(1.0 - beta1),
            static_cast<float>(1.0 - beta2),
            static_cast<float>(1.0 - std::pow(beta1, steps)),
            static_cast<float>(1.0 - std::pow(beta2, steps)),
            decay,
            decoupled,
            clip_value.value_or(none),
            clip_norm.value_or(none),
            stochastic},
            seed,
            static_cast<uint64_t>(step)};
}

Found backward(const hotrow::Layout& layout, const Addresses& tables, const std::vector<Addresses>& states,
               const Batch& batch, uintptr_t pooled, uintptr_t sequences, const Update& update, int threads) {
    std::vector<hotrow::TableMemory> memory(tables.size());
    for (size_t t = 0; t < tables.size(); ++t) {
        memory[t].rows = reinterpret_cast<uint8_t*>(tables[t]);
        for (size_t s = 0; s < 2; ++s) {
            const bool has = t < states.size() && s < states[t].size();
            memory[t].states[s] = has ? floats(states[t][s]) : nullptr;
        }
        memory[t].salt = hotrow::rounding_salt(update.seed, update.number, t);
    }
    return with_bags(batch, [&](const auto& bags) {
        return hotrow::embedding_bag_backward(layout, memory.data(), bags, floats(pooled), floats(sequences),
                                              update.step, threads);
    });
}

}  // namespace

void bind_embedding_bag(nb::module_& module) {
    nb::class_<hotrow::Layout>(module, "EmbeddingLayout")
        .def("__init__",
             [](hotrow::Layout* self, const std::vector<Table>& tables, const std::vector<Feature>& features,
                int64_t pooled_width) { new (self) hotrow::Layout(make_layout(tables, features, pooled_width)); },
             "tables"_a, "features"_a, "pooled_width"_a);
    nb::class_<Update>(module, "OptimizerStep")
        .def("__init__",
             [](Update* self, int kind, float lr, float eps, double beta1, double beta2, float decay, bool decoupled,
                std::optional<float> clip_value, std::optional<float> clip_norm, int64_t step, bool stochastic,
                uint64_t seed) {
                 new (self) Update(make_update(kind, lr, eps, beta1, beta2, decay, decoupled, clip_value, clip_norm,
                                               step, stochastic, seed));
             },
             "kind"_a, "lr"_a, "eps"_a, "beta1"_a, "beta2"_a, "decay"_a, "decoupled"_a, "clip_value"_a.none(),
             "clip_norm"_a.none(), "step"_a, "stochastic"_a, "seed"_a);
    module.def("embedding_bag_forward", forward, "layout"_a, "tables"_a, "checksums"_a, "bags"_a, "pooled"_a,
               "sequences"_a, "threads"_a);
    module.def("embedding_bag_verify", verify, "layout"_a, "tables"_a, "checksums"_a, "bags"_a, "pooled"_a,
               "sequences"_a, "threads"_a);
    module.def("embedding_bag_make_checksums", make_checksums, "layout"_a, "table"_a, "rows"_a, "checksums"_a,
               "threads"_a);
    module.def("embedding_bag_weights_gradient", weights_gradient, "layout"_a, "tables"_a, "bags"_a, "pooled"_a,
               "sequences"_a, "products"_a, "threads"_a);
    module.def("embedding_bag_backward", backward, "layout"_a, "tables"_a, "states"_a, "bags"_a, "pooled"_a,
               "sequences"_a, "step"_a, "threads"_a);
}
