#include "hotrow/fields.h"

#include <nanobind/ndarray.h>

#include "bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Text = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const int64_t, nb::ndim<2>, nb::device::cpu>;
template <typename Number>
using Column = nb::ndarray<Number, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename Number>
using Table = nb::ndarray<Number, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

hotrow::Fields fields_of(const Places& starts, const Places& ends) {
    if (starts.shape(0) != ends.shape(0) || starts.shape(1) != ends.shape(1)) {
        throw nb::value_error("expected as many starts as ends");
    }
    if (starts.shape(1) > 1 && (starts.stride(1) != 1 || ends.stride(1) != 1)) {
        throw nb::value_error("expected the fields of a row side by side");
    }
    const auto rows = static_cast<int64_t>(starts.shape(0)), fields = static_cast<int64_t>(starts.shape(1));
    return {starts.data(), ends.data(), rows, fields, starts.stride(0), ends.stride(0)};
}

int64_t find_separators(const Text& text, const Column<int64_t>& places) {
    if (places.shape(0) < text.shape(0)) throw nb::value_error("expected a place for every byte");
    nb::gil_scoped_release nogil;
    return hotrow::find_separators(text.data(), static_cast<int64_t>(text.shape(0)), places.data());
}

void read_hex_fields(const Text& text, const Places& starts, const Places& ends, const Table<uint64_t>& values,
                     const Column<int64_t>& wrong) {
    const hotrow::Fields fields = fields_of(starts, ends);
    nb::gil_scoped_release nogil;
    hotrow::read_hex_fields(text.data(), fields, values.data(), wrong.data());
}

void read_integer_fields(const Text& text, const Places& starts, const Places& ends, const Table<double>& values,
                         const Column<int64_t>& wrong) {
    const hotrow::Fields fields = fields_of(starts, ends);
    nb::gil_scoped_release nogil;
    hotrow::read_integer_fields(text.data(), fields, values.data(), wrong.data());
}

}  // namespace

void bind_fields(nb::module_& module) {
    module.def("find_separators", find_separators, "text"_a, "places"_a);
    module.def("read_hex_fields", read_hex_fields, "text"_a, "starts"_a, "ends"_a, "values"_a, "wrong"_a);
    module.def("read_integer_fields", read_integer_fields, "text"_a, "starts"_a, "ends"_a, "values"_a, "wrong"_a);
}
