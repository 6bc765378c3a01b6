#include "hotrow/interact.h"

#include <algorithm>
#include <vector>

#include "hotrow/isa.h"

namespace hotrow {

HOTROW_CHOOSE_VARIANT(InteractKernels, interact_kernels, interact_kernels)

namespace {

constexpr int64_t kGrain = 1 << 18;  // multiplications that are worth a part of their own

constexpr int64_t kLine = 16;        // floats in a cache line

int64_t padded(int64_t count) { return (count + kLine - 1) / kLine * kLine; }

// Zeros, from the start of a cache line on.
class Scratch {
public:
    explicit Scratch(int64_t floats) : memory_(floats + kLine) {}
    float* data() {
        const auto address = reinterpret_cast<uintptr_t>(memory_.data());
        return memory_.data() + (kLine - address / sizeof(float) % kLine) % kLine;
    }

private:
    std::vector<float> memory_;
};

int64_t forward_scratch(const InteractShape& shape) {
    return shape.width * padded(shape.vectors) + padded(num_pairs(shape.vectors));
}

int64_t backward_scratch(const InteractShape& shape) {
    const int64_t vectors = padded(shape.vectors);
    return vectors * vectors + padded(num_pairs(shape.vectors)) + shape.vectors * padded(shape.width);
}

// Calls run(first, count, scratch) for parts of the batch. Zeros in scratch: columns that only pad are read.
template <typename Run>
void in_parts(const InteractShape& shape, int64_t scratch_floats, int threads, Run run) {
    const int64_t each = shape.vectors * shape.vectors * shape.width;
    const int64_t size = std::max<int64_t>(1, kGrain / each);
    const int64_t parts = (shape.batch + size - 1) / size;
    threads = static_cast<int>(std::min<int64_t>(threads, parts));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        Scratch scratch(scratch_floats);
#pragma omp for schedule(dynamic)
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t first = part * size;
            run(first, std::min(size, shape.batch - first), scratch.data());
        }
    }
}

void forward(const float* x, const InteractShape& shape, float* out, float* scratch) {
    interact_kernels().forward_f32(x, shape, out, scratch);
}

void forward(const BFloat16* x, const InteractShape& shape, BFloat16* out, float* scratch) {
    interact_kernels().forward_bf16(x, shape, out, scratch);
}

void backward(const float* grad, const float* x, const InteractShape& shape, float* grad_x, float* scratch) {
    interact_kernels().backward_f32(grad, x, shape, grad_x, scratch);
}

void backward(const BFloat16* grad, const BFloat16* x, const InteractShape& shape, BFloat16* grad_x,
              float* scratch) {
    interact_kernels().backward_bf16(grad, x, shape, grad_x, scratch);
}

}  // namespace

template <typename Element>
void dot_interaction(const Element* x, const InteractShape& shape, Element* out, int threads) {
    const int64_t taken = shape.vectors * shape.width, made = shape.width + num_pairs(shape.vectors);
    in_parts(shape, forward_scratch(shape), threads, [&](int64_t first, int64_t count, float* scratch) {
        forward(x + first * taken, {count, shape.vectors, shape.width}, out + first * made, scratch);
    });
}

template <typename Element>
void dot_interaction_backward(const Element* grad, const Element* x, const InteractShape& shape,
                              Element* grad_x, int threads) {
    const int64_t size = shape.vectors * shape.width, of_out = shape.width + num_pairs(shape.vectors);
    in_parts(shape, backward_scratch(shape), threads, [&](int64_t first, int64_t count, float* scratch) {
        backward(grad + first * of_out, x + first * size, {count, shape.vectors, shape.width},
                 grad_x + first * size, scratch);
    });
}

template void dot_interaction(const float*, const InteractShape&, float*, int);
template void dot_interaction(const BFloat16*, const InteractShape&, BFloat16*, int);
template void dot_interaction_backward(const float*, const float*, const InteractShape&, float*, int);
template void dot_interaction_backward(const BFloat16*, const BFloat16*, const InteractShape&, BFloat16*, int);

}  // namespace hotrow
