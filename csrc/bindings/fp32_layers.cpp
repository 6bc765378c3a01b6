#include "hotrow/fp32_layers.h"

#include <nanobind/ndarray.h>

#include "bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Weights = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void add(hotrow::Fp32Layers& layers, const Weights& weights, const Numbers& bias, bool relu) {
    const auto outputs = static_cast<int64_t>(weights.shape(0)), inputs = static_cast<int64_t>(weights.shape(1));
    layers.add(inputs, outputs, weights.data(), bias.data(), relu);
}

// Addresses rather than arrays: taking arrays apart costs as much as a small layer of one row.
void forward(const hotrow::Fp32Layers& layers, uintptr_t x, int64_t batch, uintptr_t out, bool adds,
             int threads) {
    nb::gil_scoped_release nogil;
    layers.forward(reinterpret_cast<const float*>(x), batch, reinterpret_cast<float*>(out), adds, threads);
}

}  // namespace

void bind_fp32_layers(nb::module_& module) {
    nb::class_<hotrow::Fp32Layers>(module, "Fp32Layers")
        .def(nb::init<>())
        .def("add", add, "weights"_a, "bias"_a, "relu"_a)
        .def("forward", forward, "x"_a, "batch"_a, "out"_a, "adds"_a, "threads"_a);
}
