// Unpack to raw pointers, release the GIL, call; nothing else. Shapes are checked in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "hotrow/embedding_bag.h"
#include "hotrow/id_index.h"
#include "hotrow/memory.h"
#include "hotrow/row_kernels.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Addresses = std::vector<uintptr_t>;
using Sizes = std::vector<int64_t>;
using Ids = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Offsets = std::optional<nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>>;
using Floats = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using FloatsIn = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Slots = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using SlotsIn = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Positions = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
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

template <typename SlotType>
int64_t build_as(const Slots& slots, const Keys& keys) {
    return hotrow::id_index_build(reinterpret_cast<SlotType*>(slots.data()), slots.size() / sizeof(SlotType),
                                  keys.data(), static_cast<int64_t>(keys.size()));
}

int64_t build(const Slots& slots, int slot_bytes, const Keys& keys) {
    nb::gil_scoped_release nogil;
    return slot_bytes == sizeof(hotrow::NarrowSlot) ? build_as<hotrow::NarrowSlot>(slots, keys)
                                                    : build_as<hotrow::WideSlot>(slots, keys);
}

template <typename SlotType>
void lookup_as(const SlotsIn& slots, const Keys& keys, const Positions& positions, int threads) {
    hotrow::id_index_lookup(reinterpret_cast<const SlotType*>(slots.data()), slots.size() / sizeof(SlotType),
                            keys.data(), static_cast<int64_t>(keys.size()), positions.data(), threads);
}

void lookup(const SlotsIn& slots, int slot_bytes, const Keys& keys, const Positions& positions, int threads) {
    nb::gil_scoped_release nogil;
    if (slot_bytes == sizeof(hotrow::NarrowSlot)) {
        lookup_as<hotrow::NarrowSlot>(slots, keys, positions, threads);
    } else {
        lookup_as<hotrow::WideSlot>(slots, keys, positions, threads);
    }
}

}  // namespace

NB_MODULE(_kernels, module) {
    module.def("embedding_bag_forward", forward, "weights"_a, "rows"_a, "widths"_a, "ids"_a, "offsets"_a.none(),
               "out"_a, "threads"_a);
    module.def("embedding_bag_backward", backward, "weights"_a, "rows"_a, "widths"_a, "states"_a, "ids"_a,
               "offsets"_a.none(), "grad"_a, "learning_rate"_a, "epsilon"_a, "threads"_a);
    module.def("id_index_build", build, "slots"_a, "slot_bytes"_a, "keys"_a);
    module.def("id_index_lookup", lookup, "slots"_a, "slot_bytes"_a, "keys"_a, "positions"_a, "threads"_a);
    module.def("advise_huge_pages", &hotrow::advise_huge_pages, "address"_a, "bytes"_a);
    module.def("instruction_set", [] { return hotrow::row_kernels().name; });
}
