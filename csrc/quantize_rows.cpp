#include "hotrow/quantize_rows.h"

#include <algorithm>
#include <vector>

#include "hotrow/isa.h"

namespace hotrow {

HOTROW_CHOOSE_VARIANT(QuantizeKernels, quantize_kernels, quantize_kernels)
HOTROW_CHOOSE_VARIANT(QuantizeSearch, quantize_search, quantize_search)

namespace {

struct Job {
    const void* rows;
    RowType type;
    int64_t count;
    int64_t width;
    int bits;
    bool greedy;
    uint8_t* out;

    int64_t row_bytes() const { return (width * bits + 7) / 8 + (bits == 8 ? 8 : 4); }
};

// Returns rows first, first + 1, ... as floats, in place or in `floats`.
const float* widened(const Job& job, const QuantizeKernels& kernels, int64_t first, int64_t rows, float* floats) {
    const int64_t offset = first * job.width;
    if (job.type == RowType::fp32) return static_cast<const float*>(job.rows) + offset;
    const auto widen = job.type == RowType::fp16 ? kernels.widen_fp16 : kernels.widen_bf16;
    widen(static_cast<const uint16_t*>(job.rows) + offset, rows * job.width, floats);
    return floats;
}

// Quantises one group of rows; returns the first that cannot be held, or -1.
int64_t quantize_group(const Job& job, int64_t first, float* floats, float* columns, uint8_t* codes) {
    const QuantizeKernels& kernels = quantize_kernels();
    const int64_t rows = std::min(kQuantizeGroup, job.count - first);
    const float* from = widened(job, kernels, first, rows, floats);
    RowRange ranges[kQuantizeGroup];
    if (job.greedy) {
        quantize_search().greedy(from, rows, job.width, job.bits, ranges, columns);
    } else {
        kernels.minmax(from, rows, job.width, ranges);
    }
    const int64_t bad = kernels.encode(from, rows, job.width, job.bits, ranges, codes,
                                       job.out + first * job.row_bytes());
    return bad < 0 ? bad : first + bad;
}

}  // namespace

int64_t quantize_rows(const void* rows, RowType type, int64_t count, int64_t width, int bits, bool greedy,
                      uint8_t* out, int threads) {
    const Job job{rows, type, count, width, bits, greedy, out};
    const int64_t groups = (count + kQuantizeGroup - 1) / kQuantizeGroup;
    threads = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, groups)));
    const int64_t group_floats = kQuantizeGroup * width;
    std::vector<float> floats(type == RowType::fp32 ? 0 : threads * group_floats);
    std::vector<float> columns(greedy ? threads * group_floats : 0);
    std::vector<uint8_t> codes(threads * (width + 8));
    int64_t bad = count;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1) reduction(min : bad)
    for (int thread = 0; thread < threads; ++thread) {
        const int64_t last = groups * (thread + 1) / threads;
        for (int64_t group = groups * thread / threads; group < last; ++group) {
            const int64_t found = quantize_group(job, group * kQuantizeGroup, floats.data() + thread * group_floats,
                                                 columns.data() + thread * group_floats,
                                                 codes.data() + thread * (width + 8));
            if (found >= 0) {
                bad = std::min(bad, found);
                break;
            }
        }
    }
    return bad < count ? bad : -1;
}

}  // namespace hotrow
