// Lookup in many tables, pooled or not, and its backward fused with the optimizer. Shapes and formats
// are described by Layout; the bits of results do not depend on the number of threads, nor on the
// instruction set. Nothing is written to tables and states when there is a problem.
#pragma once

#include <cstdint>

#include "hotrow/checksums.h"
#include "hotrow/layout.h"
#include "hotrow/row_kernels.h"

namespace hotrow {

// Writes pooled (B, pooled_width) and sequences, the rows of features without pooling. Checks every bag
// where checksums, of each table, are not null.
template <typename Id>
Problem embedding_bag_forward(const Layout& layout, const uint8_t* const* tables, const RowChecksum* const* checksums,
                              const Bags<Id>& bags, float* pooled, float* sequences, int threads);

// Checks a lookup's results and the rows they come from.
template <typename Id>
Problem embedding_bag_verify(const Layout& layout, const uint8_t* const* tables, const RowChecksum* const* checksums,
                             const Bags<Id>& bags, const float* pooled, const float* sequences, int threads);

// Given the gradients of pooled and sequences, sums those of each touched row in order of lookups and
// steps the optimizer once for the row.
template <typename Id>
Problem embedding_bag_backward(const Layout& layout, const TableMemory* tables, const Bags<Id>& bags,
                               const float* pooled, const float* sequences, const Step& step, int threads);

// products, shaped as ids: the gradient of bags.weights.
template <typename Id>
Problem embedding_bag_weights_gradient(const Layout& layout, const uint8_t* const* tables, const Bags<Id>& bags,
                                       const float* pooled, const float* sequences, float* products, int threads);

}  // namespace hotrow
