#include "bindings.h"

#include <nanobind/ndarray.h>
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

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Addresses = std::vector<uintptr_t>;
using Ids = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Offsets = std::optional<nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>>;
using Weights = std::optional<nb::ndarray<const float, nb::c_contig, nb::device::cpu>>;
using Floats = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using FloatsIn = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
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

// Calls `run` with the bags in the type that ids have.
template <typename Run>
Found with_bags(const Ids& ids, const Offsets& offsets, const Weights& weights, int64_t batch, Run run) {
    const int64_t* offset = offsets ? offsets->data() : nullptr;
    const float* weight = weights ? weights->data() : nullptr;
    const int64_t count = static_cast<int64_t>(ids.size());
    const bool is_wide = ids.dtype() == nb::dtype<int64_t>();
    hotrow::Problem problem;
    {
        nb::gil_scoped_release nogil;
        problem = is_wide
                      ? run(hotrow::Bags<int64_t>{static_cast<const int64_t*>(ids.data()), offset, weight, batch, count})
                      : run(hotrow::Bags<int32_t>{static_cast<const int32_t*>(ids.data()), offset, weight, batch, count});
    }
    if (problem.kind == hotrow::Problem::none) return {};
    return Found{{static_cast<int64_t>(problem.kind), problem.where, problem.position, problem.id}};
}

const uint8_t* const* pointers(const Addresses& addresses) {
    static_assert(sizeof(uint8_t*) == sizeof(uintptr_t));
    return reinterpret_cast<const uint8_t* const*>(addresses.data());
}

// Null where there are none.
const hotrow::RowChecksum* const* checksum_pointers(const Addresses& addresses) {
    if (addresses.empty()) return nullptr;
    return reinterpret_cast<const hotrow::RowChecksum* const*>(addresses.data());
}

Found forward(const hotrow::Layout& layout, const Addresses& tables, const Addresses& checksums, const Ids& ids,
              const Offsets& offsets, const Weights& weights, int64_t batch, const Floats& pooled,
              const Floats& sequences, int threads) {
    return with_bags(ids, offsets, weights, batch, [&](const auto& bags) {
        return hotrow::embedding_bag_forward(layout, pointers(tables), checksum_pointers(checksums), bags,
                                             pooled.data(), sequences.data(), threads);
    });
}

Found verify(const hotrow::Layout& layout, const Addresses& tables, const Addresses& checksums, const Ids& ids,
             const Offsets& offsets, const Weights& weights, int64_t batch, const FloatsIn& pooled,
             const FloatsIn& sequences, int threads) {
    return with_bags(ids, offsets, weights, batch, [&](const auto& bags) {
        return hotrow::embedding_bag_verify(layout, pointers(tables), checksum_pointers(checksums), bags,
                                            pooled.data(), sequences.data(), threads);
    });
}

void make_checksums(const hotrow::Layout& layout, int64_t table, uintptr_t rows, uintptr_t checksums, int threads) {
    nb::gil_scoped_release nogil;
    hotrow::make_checksums(reinterpret_cast<const uint8_t*>(rows), layout.tables[table],
                           reinterpret_cast<hotrow::RowChecksum*>(checksums), threads);
}

Found weights_gradient(const hotrow::Layout& layout, const Addresses& tables, const Ids& ids,
                       const Offsets& offsets, int64_t batch, const FloatsIn& pooled, const FloatsIn& sequences,
                       const Floats& products, int threads) {
    return with_bags(ids, offsets, {}, batch, [&](const auto& bags) {
        return hotrow::embedding_bag_weights_gradient(layout, pointers(tables), bags, pooled.data(),
                                                      sequences.data(), products.data(), threads);
    });
}

hotrow::Step make_step(int kind, float lr, float eps, double beta1, double beta2, float decay, bool decoupled,
                       std::optional<float> clip_value, std::optional<float> clip_norm, int64_t step,
                       bool stochastic) {
    const float none = std::numeric_limits<float>::infinity();
    const double steps = static_cast<double>(step);
    return {static_cast<hotrow::OptimizerKind>(kind),
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
            stochastic};
}

Found backward(const hotrow::Layout& layout, const Addresses& tables, const std::vector<Addresses>& states,
               const std::vector<uint32_t>& salts, const Ids& ids, const Offsets& offsets, const Weights& weights,
               int64_t batch, const FloatsIn& pooled, const FloatsIn& sequences, const hotrow::Step& step,
               int threads) {
    std::vector<hotrow::TableMemory> memory(tables.size());
    for (size_t t = 0; t < tables.size(); ++t) {
        memory[t].rows = reinterpret_cast<uint8_t*>(tables[t]);
        for (size_t s = 0; s < 2; ++s) {
            const bool has = t < states.size() && s < states[t].size();
            memory[t].states[s] = has ? reinterpret_cast<float*>(states[t][s]) : nullptr;
        }
        memory[t].salt = t < salts.size() ? salts[t] : 0;
    }
    return with_bags(ids, offsets, weights, batch, [&](const auto& bags) {
        return hotrow::embedding_bag_backward(layout, memory.data(), bags, pooled.data(), sequences.data(), step,
                                              threads);
    });
}

}  // namespace

void bind_embedding_bag(nb::module_& module) {
    nb::class_<hotrow::Layout>(module, "EmbeddingLayout")
        .def("__init__",
             [](hotrow::Layout* self, const std::vector<Table>& tables, const std::vector<Feature>& features,
                int64_t pooled_width) { new (self) hotrow::Layout(make_layout(tables, features, pooled_width)); },
             "tables"_a, "features"_a, "pooled_width"_a);
    nb::class_<hotrow::Step>(module, "OptimizerStep")
        .def("__init__",
             [](hotrow::Step* self, int kind, float lr, float eps, double beta1, double beta2, float decay,
                bool decoupled, std::optional<float> clip_value, std::optional<float> clip_norm, int64_t step,
                bool stochastic) {
                 new (self) hotrow::Step(make_step(kind, lr, eps, beta1, beta2, decay, decoupled, clip_value,
                                                   clip_norm, step, stochastic));
             },
             "kind"_a, "lr"_a, "eps"_a, "beta1"_a, "beta2"_a, "decay"_a, "decoupled"_a, "clip_value"_a.none(),
             "clip_norm"_a.none(), "step"_a, "stochastic"_a);
    module.def("embedding_bag_forward", forward, "layout"_a, "tables"_a, "checksums"_a, "ids"_a,
               "offsets"_a.none(), "weights"_a.none(), "batch"_a, "pooled"_a, "sequences"_a, "threads"_a);
    module.def("embedding_bag_verify", verify, "layout"_a, "tables"_a, "checksums"_a, "ids"_a, "offsets"_a.none(),
               "weights"_a.none(), "batch"_a, "pooled"_a, "sequences"_a, "threads"_a);
    module.def("embedding_bag_make_checksums", make_checksums, "layout"_a, "table"_a, "rows"_a, "checksums"_a,
               "threads"_a);
    module.def("embedding_bag_weights_gradient", weights_gradient, "layout"_a, "tables"_a, "ids"_a,
               "offsets"_a.none(), "batch"_a, "pooled"_a, "sequences"_a, "products"_a, "threads"_a);
    module.def("embedding_bag_backward", backward, "layout"_a, "tables"_a, "states"_a, "salts"_a, "ids"_a,
               "offsets"_a.none(), "weights"_a.none(), "batch"_a, "pooled"_a, "sequences"_a, "step"_a, "threads"_a);
}
