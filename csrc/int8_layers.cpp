#include "hotrow/int8_layers.h"

#include <algorithm>

#include "hotrow/aligned.h"
#include "hotrow/isa.h"

namespace hotrow {

#if defined(HOTROW_X86)
namespace baseline { extern const Int8Kernels int8_kernels; }
namespace avx2 { extern const Int8Kernels int8_kernels; }
namespace avx512 { extern const Int8Kernels int8_kernels; }
#else
namespace baseline { extern const Int8Kernels int8_kernels; }
#endif

namespace {

constexpr int64_t kRows = 48;  // taken through all layers together: their activations stay in the cache

// AVX-512 without VNNI has no products of four bytes: such processors run the AVX2 loops.
const Int8Kernels& kernels() {
#if defined(HOTROW_X86)
    static const bool has_vnni = (__builtin_cpu_init(), __builtin_cpu_supports("avx512vnni"));
    if (chosen_isa() == Isa::avx512 && has_vnni) return avx512::int8_kernels;
    if (chosen_isa() != Isa::baseline) return avx2::int8_kernels;
#endif
    return baseline::int8_kernels;
}

}  // namespace

void Int8Layers::add(int64_t inputs, int64_t outputs, const int8_t* weights, const float* multiplier,
                     const float* constant, bool relu, float steps, float start) {
    Int8Layer layer;
    layer.inputs = inputs;
    layer.outputs = outputs;
    layer.groups = rounded_up(inputs, kGroup) / kGroup;
    layer.blocks = rounded_up(outputs, kBlock) / kBlock;
    layer.relu = relu;
    layer.steps = steps;
    layer.start = start;
    Packed packed;
    const int64_t width = layer.blocks * kBlock;
    packed.weights.resize(width * layer.groups * kGroup + kLine);
    packed.multiplier.resize(width + kLine);
    packed.constant.resize(width + kLine);
    int8_t* const to = aligned(packed.weights);
    for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t i = 0; i < inputs; ++i) {
            const int64_t place = (o / kBlock * layer.groups + i / kGroup) * kBlock + o % kBlock;
            to[place * kGroup + i % kGroup] = weights[o * inputs + i];
        }
    }
    std::copy(multiplier, multiplier + outputs, aligned(packed.multiplier));
    std::copy(constant, constant + outputs, aligned(packed.constant));
    layer.weights = to;
    layer.multiplier = aligned(packed.multiplier);
    layer.constant = aligned(packed.constant);
    stride_ = std::max({stride_, rounded_up(inputs, kBlock * kGroup), rounded_up(outputs, kBlock * kGroup)});
    packed_.push_back(std::move(packed));
    layers_.push_back(layer);
}

void Int8Layers::forward(const float* x, int64_t batch, float* out, int threads) const {
    const Int8Kernels& run = kernels();
    const int64_t inputs = layers_.front().inputs, outputs = layers_.back().outputs;
    const int64_t parts = (batch + kRows - 1) / kRows;
    threads = static_cast<int>(std::min<int64_t>(threads, parts));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const int64_t most = std::min(kRows, batch);
        std::vector<uint8_t> memory(2 * most * stride_ + kLine);
        uint8_t* const first = aligned(memory);
#pragma omp for schedule(dynamic)
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t row = part * kRows, rows = std::min(kRows, batch - row);
            uint8_t *from = first, *to = first + most * stride_;
            for (int64_t r = 0; r < rows; ++r) {
                run.quantize(x + (row + r) * inputs, inputs, layers_.front(), from + r * stride_);
            }
            for (size_t number = 0; number < layers_.size(); ++number) {
                const Int8Layer* next = number + 1 < layers_.size() ? &layers_[number + 1] : nullptr;
                run.run(layers_[number], from, stride_, rows, next, to, out + row * outputs);
                std::swap(from, to);
            }
        }
    }
}

}  // namespace hotrow
