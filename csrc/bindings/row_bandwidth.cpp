#include "bindings.h"

#include <nanobind/ndarray.h>

#include <cstdint>

#include "hotrow/row_bandwidth.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Ids = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

uint64_t read_random_rows(uintptr_t address, int64_t rows, int64_t row_bytes, const Ids& ids,
                          int64_t prefetch_distance, int threads) {
    uint64_t sum = 0;
    bool is_read = false;
    {
        nb::gil_scoped_release nogil;
        is_read = hotrow::read_random_rows(reinterpret_cast<const void*>(address), rows, row_bytes, ids.data(),
                                           static_cast<int64_t>(ids.size()), prefetch_distance, threads, sum);
    }
    if (!is_read) throw nb::index_error("read_random_rows: an id is outside the rows");
    return sum;
}

}  // namespace

void bind_row_bandwidth(nb::module_& module) {
    module.def("read_random_rows", read_random_rows, "address"_a, "rows"_a, "row_bytes"_a, "ids"_a,
               "prefetch_distance"_a, "threads"_a);
}
