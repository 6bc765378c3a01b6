// Linear layers after one another on 8-bit integers: float32 in and out, uint8 between them.
//
//     q = min(max(x * steps + start, 0), 255), cut to a whole number          start = zero point + 1/2
//     y_o = multiplier_o * (w_o . q) + constant_o, and max(y_o, 0) where ReLU follows
//
// Weights are in -64 ... 64, so that two products with 0 ... 255 fit in 16 bits. Sums are of integers and
// so exact; all else is one IEEE operation after another. A row's result is the same whatever the batch,
// the number of threads and the instruction set.
#pragma once

#include <cstdint>
#include <vector>

namespace hotrow {

constexpr int64_t kBlock = 16;  // outputs that are computed side by side
constexpr int64_t kGroup = 4;   // inputs that are multiplied side by side

struct Int8Layer {
    int64_t inputs = 0, outputs = 0;
    int64_t groups = 0, blocks = 0;   // of inputs and of outputs, rounded up
    const int8_t* weights = nullptr;  // (blocks, groups, kBlock, kGroup)
    const float* multiplier = nullptr;  // (blocks * kBlock)
    const float* constant = nullptr;
    bool relu = false;
    float steps = 1.0f, start = 0.5f;  // of its inputs
};

// One instruction set's inner loops. A row of q is `stride` bytes long, a multiple of kBlock * kGroup.
struct Int8Kernels {
    void (*quantize)(const float* x, int64_t count, const Int8Layer& layer, uint8_t* q);
    // Either q_out with the next layer, or out, rows of layer.outputs numbers.
    void (*run)(const Int8Layer& layer, const uint8_t* q, int64_t stride, int64_t rows, const Int8Layer* next,
                uint8_t* q_out, float* out);
};

class Int8Layers {
public:
    Int8Layers() = default;
    Int8Layers(const Int8Layers&) = delete;
    Int8Layers& operator=(const Int8Layers&) = delete;

    // weights (outputs, inputs); multiplier and constant (outputs). Each layer takes what the one before gives.
    void add(int64_t inputs, int64_t outputs, const int8_t* weights, const float* multiplier,
             const float* constant, bool relu, float steps, float start);

    // x (batch, inputs of the first) to out (batch, outputs of the last).
    void forward(const float* x, int64_t batch, float* out, int threads) const;

private:
    struct Packed {
        std::vector<int8_t> weights;
        std::vector<float> multiplier, constant;
    };
    std::vector<Packed> packed_;  // what the layers point to
    std::vector<Int8Layer> layers_;
    int64_t stride_ = 0;
};

}  // namespace hotrow
