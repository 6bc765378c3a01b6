// Linear layers after one another in float32.
//
//     y_o = b_o + w_o0 x_0 + w_o1 x_1 + ...      and max(y_o, 0) where ReLU follows
//
// Sums are built up in that order by fused multiply-adds. A row's result is the same whatever the batch, the
// number of threads and the instruction set.
#pragma once

#include <cstdint>
#include <vector>

namespace hotrow {

struct Fp32Layer {
    static constexpr int64_t kBlock = 16;  // outputs that are computed side by side

    int64_t inputs = 0, outputs = 0;
    int64_t blocks = 0;              // of outputs, rounded up
    const float* weights = nullptr;  // (blocks, inputs, kBlock)
    const float* bias = nullptr;     // (blocks * kBlock)
    bool relu = false;
};

// One instruction set's inner loop: x, rows of x_stride numbers, to y, rows of y_stride, at least
// layer.blocks * kBlock. With `adds` sums start at what y holds instead of at the bias.
struct Fp32Kernels {
    void (*run)(const Fp32Layer& layer, const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                bool adds);
};

class Fp32Layers {
public:
    Fp32Layers() = default;
    Fp32Layers(const Fp32Layers&) = delete;
    Fp32Layers& operator=(const Fp32Layers&) = delete;

    // weights (outputs, inputs); bias (outputs). Each layer takes what the one before gives.
    void add(int64_t inputs, int64_t outputs, const float* weights, const float* bias, bool relu);

    // x (batch, inputs of the first) to out (batch, outputs of the last). With `adds` the last layer's sums start
    // at what out holds instead of at its bias.
    void forward(const float* x, int64_t batch, float* out, bool adds, int threads) const;

private:
    std::vector<std::vector<float>> packed_;  // what the layers point to
    std::vector<Fp32Layer> layers_;
    int64_t stride_ = 0;
};

}  // namespace hotrow
