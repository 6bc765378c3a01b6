#include "bindings.h"

#include <cstdint>

#include "hotrow/interact.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

// Addresses rather than arrays: taking an array apart costs as much as the interaction of one example.
template <typename Element>
Element* at(uintptr_t address) {
    return reinterpret_cast<Element*>(address);
}

void forward(uintptr_t x, uintptr_t out, int64_t batch, int64_t vectors, int64_t width, bool is_bfloat16,
             int threads) {
    const hotrow::InteractShape shape{batch, vectors, width};
    nb::gil_scoped_release nogil;
    if (is_bfloat16) {
        hotrow::dot_interaction(at<const hotrow::BFloat16>(x), shape, at<hotrow::BFloat16>(out), threads);
    } else {
        hotrow::dot_interaction(at<const float>(x), shape, at<float>(out), threads);
    }
}

void backward(uintptr_t grad, uintptr_t x, uintptr_t grad_x, int64_t batch, int64_t vectors, int64_t width,
              bool is_bfloat16, int threads) {
    const hotrow::InteractShape shape{batch, vectors, width};
    nb::gil_scoped_release nogil;
    if (is_bfloat16) {
        hotrow::dot_interaction_backward(at<const hotrow::BFloat16>(grad), at<const hotrow::BFloat16>(x), shape,
                                         at<hotrow::BFloat16>(grad_x), threads);
    } else {
        hotrow::dot_interaction_backward(at<const float>(grad), at<const float>(x), shape, at<float>(grad_x),
                                         threads);
    }
}

}  // namespace

void bind_interact(nb::module_& module) {
    module.def("dot_interaction_forward", forward, "x"_a, "out"_a, "batch"_a, "vectors"_a, "width"_a,
               "is_bfloat16"_a, "threads"_a);
    module.def("dot_interaction_backward", backward, "grad"_a, "x"_a, "grad_x"_a, "batch"_a, "vectors"_a,
               "width"_a, "is_bfloat16"_a, "threads"_a);
}
