#include "bindings.h"

#include <nanobind/ndarray.h>

#include <cstdint>

#include "hotrow/id_index.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Slots = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using SlotsIn = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Positions = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

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

void bind_id_index(nb::module_& module) {
    module.def("id_index_build", build, "slots"_a, "slot_bytes"_a, "keys"_a);
    module.def("id_index_lookup", lookup, "slots"_a, "slot_bytes"_a, "keys"_a, "positions"_a, "threads"_a);
}
