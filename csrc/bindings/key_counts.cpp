#include "hotrow/key_counts.h"

#include <nanobind/ndarray.h>

#include "bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Number>
using Numbers = nb::ndarray<Number, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename Key>
void add(hotrow::KeyCounts& counts, const Numbers<const Key>& keys) {
    nb::gil_scoped_release nogil;
    counts.add(keys.data(), nullptr, static_cast<int64_t>(keys.size()));
}

void add_counted(hotrow::KeyCounts& counts, const Numbers<const uint64_t>& keys, const Numbers<const int64_t>& times) {
    if (times.size() != keys.size()) throw nb::value_error("expected as many counts as keys");
    nb::gil_scoped_release nogil;
    counts.add(keys.data(), times.data(), static_cast<int64_t>(keys.size()));
}

void write_counted(const hotrow::KeyCounts& counts, const Numbers<uint64_t>& keys, const Numbers<int64_t>& times) {
    const auto size = static_cast<size_t>(counts.size());
    if (keys.size() != size || times.size() != size) throw nb::value_error("expected a place for every key");
    nb::gil_scoped_release nogil;
    counts.write(keys.data(), times.data());
}

}  // namespace

void bind_key_counts(nb::module_& module) {
    nb::class_<hotrow::KeyCounts>(module, "KeyCounts")
        .def(nb::init<>())
        .def("__len__", &hotrow::KeyCounts::size)
        .def("add", add<uint64_t>, "keys"_a)
        .def("add_narrow", add<uint32_t>, "keys"_a)
        .def("add_counted", add_counted, "keys"_a, "counts"_a)
        .def("write", write_counted, "keys"_a, "counts"_a);
}
