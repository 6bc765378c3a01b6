#include "hotrow/fp32_layers.h"

#include <algorithm>
#include <memory>

#include "hotrow/aligned.h"
#include "hotrow/isa.h"

namespace hotrow {

HOTROW_CHOOSE_VARIANT(Fp32Kernels, fp32_kernels, fp32_kernels)

namespace {

constexpr int64_t kRows = 96;  // taken through all layers together: their activations stay in the cache
constexpr int64_t kBlock = Fp32Layer::kBlock;

void copy_rows(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * from_stride, width, to + r * to_stride);
}

}  // namespace

void Fp32Layers::add(int64_t inputs, int64_t outputs, const float* weights, const float* bias, bool relu) {
    Fp32Layer layer;
    layer.inputs = inputs;
    layer.outputs = outputs;
    layer.blocks = rounded_up(outputs, kBlock) / kBlock;
    layer.relu = relu;
    const int64_t width = layer.blocks * kBlock;
    std::vector<float> packed(width * (inputs + 1) + kLine);
    float* const of_weights = aligned(packed);
    float* const of_bias = of_weights + width * inputs;
    for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t i = 0; i < inputs; ++i) {
            of_weights[(o / kBlock * inputs + i) * kBlock + o % kBlock] = weights[o * inputs + i];
        }
    }
    std::copy(bias, bias + outputs, of_bias);
    layer.weights = of_weights;
    layer.bias = of_bias;
    stride_ = std::max(stride_, width);
    packed_.push_back(std::move(packed));
    layers_.push_back(layer);
}

void Fp32Layers::forward(const float* x, int64_t batch, float* out, bool adds, int threads) const {
    const Fp32Kernels& kernel = fp32_kernels();
    const Fp32Layer& last = layers_.back();
    const int64_t parts = (batch + kRows - 1) / kRows, most = std::min(kRows, batch);
    threads = static_cast<int>(std::min<int64_t>(threads, parts));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const std::unique_ptr<float[]> memory(new float[2 * most * stride_ + kLine]);
        float* const first = aligned(memory.get());
#pragma omp for schedule(dynamic)
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t row = part * kRows, rows = std::min(kRows, batch - row);
            const float* from = x + row * layers_.front().inputs;
            int64_t from_stride = layers_.front().inputs;
            float *to = first, *other = first + most * stride_;
            for (size_t number = 0; number + 1 < layers_.size(); ++number) {
                kernel.run(layers_[number], from, from_stride, rows, to, stride_, false);
                from = to;
                from_stride = stride_;
                std::swap(to, other);
            }
            float* const out_rows = out + row * last.outputs;
            if (last.outputs % kBlock == 0) {
                kernel.run(last, from, from_stride, rows, out_rows, last.outputs, adds);
            } else {  // its last block is wider than the caller's rows
                if (adds) copy_rows(out_rows, last.outputs, to, stride_, rows, last.outputs);
                kernel.run(last, from, from_stride, rows, to, stride_, adds);
                copy_rows(to, stride_, out_rows, last.outputs, rows, last.outputs);
            }
        }
    }
}

}  // namespace hotrow
