// DLRM's dot interaction: for x (B, F, D), out (B, D + P) is x_0 beside the dot products of all pairs
// of vectors, row by row of the lower triangle without its diagonal; P = F (F - 1) / 2.
//
// Sums are in float32 whatever the element type. An example's result does not depend on the batch it
// is in or on the number of threads; it may differ in the last bits between instruction sets, some of
// which fuse the multiplication with the addition.
#pragma once

#include <cstdint>

namespace hotrow {

struct BFloat16 {
    uint16_t bits;
};

struct InteractShape {
    int64_t batch;    // B
    int64_t vectors;  // F >= 1
    int64_t width;    // D >= 1
};

// Element is float or BFloat16.
template <typename Element>
void dot_interaction(const Element* x, const InteractShape& shape, Element* out, int threads);

// grad (B, D + P), of out; grad_x (B, F, D).
template <typename Element>
void dot_interaction_backward(const Element* grad, const Element* x, const InteractShape& shape,
                              Element* grad_x, int threads);

inline int64_t num_pairs(int64_t vectors) { return vectors * (vectors - 1) / 2; }

// One instruction set's inner loops: examples one after the other, with room for one in scratch.
struct InteractKernels {
    void (*forward_f32)(const float* x, const InteractShape& shape, float* out, float* scratch);
    void (*forward_bf16)(const BFloat16* x, const InteractShape& shape, BFloat16* out, float* scratch);
    void (*backward_f32)(const float* grad, const float* x, const InteractShape& shape, float* grad_x,
                         float* scratch);
    void (*backward_bf16)(const BFloat16* grad, const BFloat16* x, const InteractShape& shape,
                          BFloat16* grad_x, float* scratch);
};

}  // namespace hotrow
