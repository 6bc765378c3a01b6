#include "hotrow/int8_layers.h"

#include <nanobind/ndarray.h>

#include "bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Weights = nb::ndarray<const int8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void add(hotrow::Int8Layers& layers, const Weights& weights, const Numbers& multiplier, const Numbers& constant,
         bool relu, float steps, float start) {
    const auto outputs = static_cast<int64_t>(weights.shape(0)), inputs = static_cast<int64_t>(weights.shape(1));
    layers.add(inputs, outputs, weights.data(), multiplier.data(), constant.data(), relu, steps, start);
}

// Addresses rather than arrays: taking arrays apart costs as much as a small layer of one row.
void forward(const hotrow::Int8Layers& layers, uintptr_t x, int64_t batch, uintptr_t out, int threads) {
    nb::gil_scoped_release nogil;
    layers.forward(reinterpret_cast<const float*>(x), batch, reinterpret_cast<float*>(out), threads);
}

}  // namespace

void bind_int8_layers(nb::module_& module) {
    nb::class_<hotrow::Int8Layers>(module, "Int8Layers")
        .def(nb::init<>())
        .def("add", add, "weights"_a, "multiplier"_a, "constant"_a, "relu"_a, "steps"_a, "start"_a)
        .def("forward", forward, "x"_a, "batch"_a, "out"_a, "threads"_a);
}
