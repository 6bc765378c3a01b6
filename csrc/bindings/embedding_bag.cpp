#include "bindings.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "hotrow/embedding_bag.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Addresses = std::vector<uintptr_t>;
using Sizes = std::vector<int64_t>;
using Ids = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Offsets = std::optional<nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>>;
using Floats = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using FloatsIn = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bad = std::optional<std::pair<int64_t, int64_t>>;

float* const* pointers(const Addresses& addresses) {
    static_assert(sizeof(float*) == sizeof(uintptr_t));
    return addresses.empty() ? nullptr : reinterpret_cast<float* const*>(addresses.data());
}

// Calls `run` with the bags in the type that ids have.
template <typename Run>
Bad with_bags(const Ids& ids, const Offsets& offsets, int64_t batch, Run run) {
    const int64_t* offset = offsets ? offsets->data() : nullptr;
    const bool is_wide = ids.dtype() == nb::dtype<int64_t>();
    hotrow::BadId bad;
    {
        nb::gil_scoped_release nogil;
        bad = is_wide ? run(hotrow::Bags<int64_t>{static_cast<const int64_t*>(ids.data()), offset, batch})
                      : run(hotrow::Bags<int32_t>{static_cast<const int32_t*>(ids.data()), offset, batch});
    }
    return bad.table < 0 ? Bad{} : Bad{{bad.table, bad.id}};
}

Bad forward(const Addresses& weights, const Sizes& rows, const Sizes& widths, const Ids& ids,
            const Offsets& offsets, const Floats& out, int threads) {
    const hotrow::Tables tables{static_cast<int64_t>(rows.size()), pointers(weights), rows.data(), widths.data()};
    return with_bags(ids, offsets, static_cast<int64_t>(out.shape(0)), [&](const auto& bags) {
        return hotrow::embedding_bag_forward(tables, bags, out.data(), threads);
    });
}

Bad backward(const Addresses& weights, const Sizes& rows, const Sizes& widths, const Addresses& states,
             const Ids& ids, const Offsets& offsets, const FloatsIn& grad, float learning_rate, float epsilon,
             int threads) {
    const hotrow::Tables tables{static_cast<int64_t>(rows.size()), pointers(weights), rows.data(), widths.data()};
    const hotrow::Optimizer optimizer{pointers(states), learning_rate, epsilon};
    return with_bags(ids, offsets, static_cast<int64_t>(grad.shape(0)), [&](const auto& bags) {
        return hotrow::embedding_bag_backward(tables, bags, grad.data(), optimizer, threads);
    });
}

}  // namespace

void bind_embedding_bag(nb::module_& module) {
    module.def("embedding_bag_forward", forward, "weights"_a, "rows"_a, "widths"_a, "ids"_a, "offsets"_a.none(),
               "out"_a, "threads"_a);
    module.def("embedding_bag_backward", backward, "weights"_a, "rows"_a, "widths"_a, "states"_a, "ids"_a,
               "offsets"_a.none(), "grad"_a, "learning_rate"_a, "epsilon"_a, "threads"_a);
}
