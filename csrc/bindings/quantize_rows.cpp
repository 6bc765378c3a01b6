#include "bindings.h"

#include <nanobind/ndarray.h>

#include <cstdint>

#include "hotrow/quantize_rows.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Rows = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

hotrow::RowType row_type(const Rows& rows) {
    if (rows.dtype() == nb::dtype<float>()) return hotrow::RowType::fp32;
    const bool is_bfloat = rows.dtype().code == static_cast<uint8_t>(nb::dlpack::dtype_code::Bfloat);
    return is_bfloat ? hotrow::RowType::bf16 : hotrow::RowType::fp16;
}

int64_t quantize(const Rows& rows, int bits, bool greedy, const Out& out, int threads) {
    nb::gil_scoped_release nogil;
    return hotrow::quantize_rows(rows.data(), row_type(rows), static_cast<int64_t>(rows.shape(0)),
                                 static_cast<int64_t>(rows.shape(1)), bits, greedy, out.data(), threads);
}

}  // namespace

void bind_quantize_rows(nb::module_& module) {
    module.def("quantize_rows", quantize, "rows"_a, "bits"_a, "greedy"_a, "out"_a, "threads"_a);
}
