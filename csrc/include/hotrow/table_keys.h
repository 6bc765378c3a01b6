// The lookups of one table as keys to sort by, and where their gradients lie.
#pragma once

#include <cstdint>
#include <vector>

#include "hotrow/layout.h"
#include "hotrow/row_kernels.h"

namespace hotrow {

// A key is row << 32 | number, the number telling where the lookup's gradient is. Padding gets the row
// after the last one, so that it sorts behind all others.
template <typename Id>
class TableKeys {
public:
    // `streams` are those of the features of one table.
    TableKeys(const TableSpec& table, std::vector<const Stream<Id>*> streams);

    int64_t count() const { return count_; }
    int bits() const { return bits_; }  // of the largest row

    // Writes the keys of all lookups; returns false if an id is bad.
    bool fill(uint64_t* keys, int threads);

    // Writes those of examples [first, last) where every feature has one id each.
    bool fill_examples(int64_t first, int64_t last, uint64_t* keys);

    GradientRows gradients() const;

private:
    bool fill_range(int64_t first, int64_t last, uint64_t* keys);
    template <bool kDirect>
    bool fill_stream(const Stream<Id>& stream, int64_t begin, int64_t first, int64_t last, uint64_t* keys);

    int64_t rows_;
    std::vector<const Stream<Id>*> streams_;
    std::vector<int64_t> begins_;  // first lookup of each stream, then count
    int64_t count_;
    int bits_;
    bool direct_;                      // numbers are bags of the one stream, without factors
    std::vector<const float*> where_;  // (count,) otherwise
    std::vector<float> factors_;       // (count,)
};

}  // namespace hotrow
