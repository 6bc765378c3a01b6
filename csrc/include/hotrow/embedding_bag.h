// Sum-pooled embedding lookup in many tables, and its backward fused with the optimizer.
// Raw pointers only; shape letters: B batch, T tables, L lookups, E rows, D width.
#pragma once

#include <cstdint>

namespace hotrow {

// T tables anywhere in memory; float32, row-major (E, D) each.
struct Tables {
    int64_t count;
    float* const* weights;
    const int64_t* rows;
    const int64_t* widths;
};

// One id per bag, ids (B, T) and offsets null; or table-major ids (L,) with offsets (T * B + 1,),
// where bag b of table t is ids[offsets[t * B + b] .. offsets[t * B + b + 1]).
template <typename Id>
struct Bags {
    const Id* ids;
    const int64_t* offsets;
    int64_t batch;
};

// The first id outside its table in order of the ids array; table < 0 when there is none.
struct BadId {
    int64_t table = -1;
    int64_t id = 0;
};

// SGD when states is null, else row-wise Adagrad with one float32 accumulator (E,) for each table.
struct Optimizer {
    float* const* states;
    float learning_rate;
    float epsilon;
};

// Writes out (B, sum of D). Nothing is written when an id is bad.
template <typename Id>
BadId embedding_bag_forward(const Tables& tables, const Bags<Id>& bags, float* out, int threads);

// Given grad (B, sum of D), sums the gradients of each touched row in order of bags and steps the
// optimizer once for the row. The bits do not depend on the number of threads, nor on the
// instruction set. Nothing is written when an id is bad.
template <typename Id>
BadId embedding_bag_backward(const Tables& tables, const Bags<Id>& bags, const float* grad,
                             const Optimizer& optimizer, int threads);

}  // namespace hotrow
