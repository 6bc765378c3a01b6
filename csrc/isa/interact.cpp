// The dot interaction of one example after the other, compiled once for each instruction set.
//
// Forward and backward are each a small matrix product left^T right with left (K, rows) and right
// (K, columns), taken in tiles of accumulators that stay in registers:
//   forward   Z = X X^T: left and right are both X^T (K = D), tiles of the lower triangle only;
//   backward  grad_X = G X: left is the symmetric G with zero diagonal (K = F), right is X.
// The build allows fused multiply-add here. Only internal functions: anything the linker could merge
// between variants might run on a processor that lacks it.
#include "hotrow/interact_vectors.h"

namespace hotrow::HOTROW_ISA {
namespace {

// Accumulators of a tile: two blocks of kLanes columns, or one, for this many rows at most.
#if defined(__AVX512F__)
constexpr int kRowsOfTwo = 12, kRowsOfOne = 16;
#else
constexpr int kRowsOfTwo = 5, kRowsOfOne = 10;
#endif

HOTROW_INLINE int64_t padded(int64_t count) { return (count + 15) / 16 * 16; }
HOTROW_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

struct Matrix {
    const float* data;
    int64_t stride;
};

// Calls keep(row, block, sum) with the sums over k < depth of left[k][row] * right[k][block].
template <int kRows, int kBlocks, typename Keep>
__attribute__((noinline)) void tile(Matrix left, Matrix right, int64_t depth, const Keep keep) {
    constexpr int kSums = kRows * kBlocks;
    Vector sum[kSums];
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS { sum[i] = Vector{}; });
    for (int64_t k = 0; k < depth; ++k, left.data += left.stride, right.data += right.stride) {
        Vector columns[kBlocks];
        repeat<0, kBlocks>([&](int block) HOTROW_ALWAYS {
            columns[block] = load_as<Vector>(right.data + block * kLanes);
        });
        repeat<0, kSums>([&](int i) HOTROW_ALWAYS { sum[i] += columns[i % kBlocks] * left.data[i / kBlocks]; });
    }
    repeat<0, kSums>([&](int i) HOTROW_ALWAYS { keep(i / kBlocks, i % kBlocks, sum[i]); });
}

template <int kRows, int kBlocks, typename Keep>
HOTROW_INLINE void tile_of(int64_t rows, Matrix left, Matrix right, int64_t depth, const Keep& keep) {
    if (rows == kRows) return tile<kRows, kBlocks>(left, right, depth, keep);
    if constexpr (kRows > 1) tile_of<kRows - 1, kBlocks>(rows, left, right, depth, keep);
}

// Calls part(first, count) for as few parts of [first, last) as their size allows, all about as long.
template <typename Part>
HOTROW_INLINE void split(int64_t first, int64_t last, int64_t most, const Part& part) {
    for (int64_t parts = (last - first + most - 1) / most; parts > 0; --parts) {
        const int64_t count = (last - first) / parts;
        part(first, count);
        first += count;
    }
}

// xt (D, stride) = the transpose of x (F, D); columns from F to the next multiple of 4 repeat x's last row.
template <typename Element>
HOTROW_INLINE void transpose_rows(const Element* x, int64_t vectors, int64_t width, float* xt, int64_t stride) {
    for (int64_t i = 0; i < vectors; i += 4) {
        const Element* row[4];
        for (int k = 0; k < 4; ++k) row[k] = x + least(i + k, vectors - 1) * width;
        for (int64_t d = 0; d < width; d += 4) {
            Quad block[4];
            for (int k = 0; k < 4; ++k) block[k] = load_part<Quad>(row[k] + d, width - d);
            transpose(block);
            const int64_t columns = least(4, width - d);
            for (int64_t k = 0; k < columns; ++k) store_quad(xt + (d + k) * stride + i, block[k]);
        }
    }
}

// z (P) = the lower triangle of X X^T. A row's last vector runs over into the next rows, whose own values
// come later: rows go upwards and, within a row, blocks of columns downwards.
HOTROW_INLINE void lower_products(Matrix xt, int64_t vectors, int64_t width, float* z) {
    const int64_t pairs = num_pairs(vectors);
    for (int64_t blocks = 1; (blocks - 1) * kLanes + 1 < vectors; ++blocks) {  // of rows that need so many
        const int64_t first = (blocks - 1) * kLanes + 1, last = least(blocks * kLanes + 1, vectors);
        split(first, last, blocks > 1 ? kRowsOfTwo : kRowsOfOne, [&](int64_t i, int64_t rows) {
            const Matrix left = {xt.data + i, xt.stride};
            for (int64_t block = blocks; block > 0; block -= 2) {
                const int64_t j = (block > 1 ? block - 2 : 0) * kLanes;
                const Matrix right = {xt.data + j, xt.stride};
                const auto keep = [=](int row, int column, Vector sum) HOTROW_ALWAYS {
                    const int64_t at = num_pairs(i + row) + j + column * kLanes;
                    store_part(z + at, sum, pairs - at);
                };
                if (block > 1) {
                    tile_of<kRowsOfTwo, 2>(rows, left, right, width, keep);
                } else {
                    tile_of<kRowsOfOne, 1>(rows, left, right, width, keep);
                }
            }
        });
    }
}

template <typename Element>
HOTROW_INLINE void forward(const Element* x, const InteractShape& shape, Element* out, float* scratch) {
    const int64_t vectors = shape.vectors, width = shape.width, pairs = num_pairs(vectors);
    constexpr bool kIsFloat = sizeof(Element) == sizeof(float);
    float* xt = scratch;
    const int64_t stride = padded(vectors);
    for (int64_t b = 0; b < shape.batch; ++b, x += vectors * width, out += width + pairs) {
        __builtin_memcpy(out, x, width * sizeof(Element));
        transpose_rows(x, vectors, width, xt, stride);
        if constexpr (kIsFloat) {
            lower_products({xt, stride}, vectors, width, out + width);
        } else {
            float* z = scratch + width * stride;
            lower_products({xt, stride}, vectors, width, z);
            for (int64_t p = 0; p < pairs; p += kLanes) {
                store_part(out + width + p, load_part<Vector>(z + p, pairs - p), pairs - p);
            }
        }
    }
}

// full (F padded, stride) = the symmetric matrix with zero diagonal and this lower triangle (P), in blocks
// of 4 x 4; what it holds from row and column F on is not used.
HOTROW_INLINE void symmetric(const float* lower, int64_t vectors, float* full, int64_t stride) {
    for (int64_t i = 0; i < vectors; i += 4) {
        const float* row[4] = {lower, lower, lower, lower};
        for (int64_t k = 0; k < 4 && i + k < vectors; ++k) {
            row[k] = lower;
            lower += i + k;
        }
        for (int64_t j = 0; j < i; j += 4) {
            Quad block[4];
            for (int k = 0; k < 4; ++k) block[k] = load_as<Quad>(row[k] + j);
            for (int k = 0; k < 4; ++k) store_quad(full + (i + k) * stride + j, block[k]);
            transpose(block);
            for (int k = 0; k < 4; ++k) store_quad(full + (j + k) * stride + i, block[k]);
        }
        float* diagonal = full + i * stride + i;
        for (int64_t k = 0; k < 4 && i + k < vectors; ++k) {
            diagonal[k * stride + k] = 0.0f;
            for (int64_t l = 0; l < k; ++l) diagonal[k * stride + l] = diagonal[l * stride + k] = row[k][i + l];
        }
    }
}

// to (count padded) = from (count), as floats.
template <typename Element>
HOTROW_INLINE void widen(const Element* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; i += kLanes) store(to + i, load_part<Vector>(from + i, count - i));
}

template <typename Element>
HOTROW_INLINE void symmetric_product(const Element* grad, Matrix g, Matrix x, int64_t vectors, int64_t width,
                                     Element* grad_x) {
    for (int64_t d = 0; d < width;) {
        const bool are_two = d + kLanes < width;
        split(0, vectors, are_two ? kRowsOfTwo : kRowsOfOne, [&](int64_t i, int64_t rows) {
            const auto keep = [=](int row, int block, Vector sum) HOTROW_ALWAYS {
                const int64_t column = d + block * kLanes, count = width - column;
                if (row == 0 && i == 0) sum += load_part<Vector>(grad + column, count);
                store_part(grad_x + (i + row) * width + column, sum, count);
            };
            if (are_two) {
                tile_of<kRowsOfTwo, 2>(rows, {g.data + i, g.stride}, {x.data + d, x.stride}, vectors, keep);
            } else {
                tile_of<kRowsOfOne, 1>(rows, {g.data + i, g.stride}, {x.data + d, x.stride}, vectors, keep);
            }
        });
        d += are_two ? 2 * kLanes : kLanes;
    }
}

template <typename Element>
HOTROW_INLINE void backward(const Element* grad, const Element* x, const InteractShape& shape, Element* grad_x,
                            float* scratch) {
    const int64_t vectors = shape.vectors, width = shape.width, pairs = num_pairs(vectors);
    const int64_t g_stride = padded(vectors), x_stride = padded(width);
    constexpr bool kIsFloat = sizeof(Element) == sizeof(float);
    const bool is_whole = width % kLanes == 0;
    float* g = scratch;
    float* lower = g + g_stride * g_stride;
    float* rows = lower + padded(pairs);
    for (int64_t b = 0; b < shape.batch; ++b) {
        Matrix right = {rows, x_stride};
        if constexpr (kIsFloat) {
            symmetric(grad + width, vectors, g, g_stride);
            if (is_whole) right = {x, width};
        } else {
            widen(grad + width, pairs, lower);
            symmetric(lower, vectors, g, g_stride);
        }
        if (right.data == rows) {
            for (int64_t i = 0; i < vectors; ++i) widen(x + i * width, width, rows + i * x_stride);
        }
        symmetric_product(grad, {g, g_stride}, right, vectors, width, grad_x);
        grad += width + pairs;
        x += vectors * width;
        grad_x += vectors * width;
    }
}

void forward_f32(const float* x, const InteractShape& shape, float* out, float* scratch) {
    forward(x, shape, out, scratch);
}

void forward_bf16(const BFloat16* x, const InteractShape& shape, BFloat16* out, float* scratch) {
    forward(x, shape, out, scratch);
}

void backward_f32(const float* grad, const float* x, const InteractShape& shape, float* grad_x, float* scratch) {
    backward(grad, x, shape, grad_x, scratch);
}

void backward_bf16(const BFloat16* grad, const BFloat16* x, const InteractShape& shape, BFloat16* grad_x,
                   float* scratch) {
    backward(grad, x, shape, grad_x, scratch);
}

}  // namespace

extern const InteractKernels interact_kernels;
const InteractKernels interact_kernels = {forward_f32, forward_bf16, backward_f32, backward_bf16};

}  // namespace hotrow::HOTROW_ISA
