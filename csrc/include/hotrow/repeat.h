// Loops over registers, unrolled. Everything is internal to the file that includes this.
#pragma once

#define HOTROW_ALWAYS __attribute__((always_inline))
#define HOTROW_INLINE static inline HOTROW_ALWAYS

namespace hotrow::HOTROW_ISA {
namespace {

// Calls body(kFrom), ..., body(kTo - 1). Constant indices from the start keep arrays in registers.
template <int kFrom, int kTo, typename Body>
HOTROW_INLINE void repeat(const Body& body) {
    if constexpr (kFrom < kTo) {
        body(kFrom);
        repeat<kFrom + 1, kTo>(body);
    }
}

}  // namespace
}  // namespace hotrow::HOTROW_ISA
