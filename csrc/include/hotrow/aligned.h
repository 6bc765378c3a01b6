// Memory that begins at a line of the cache.
#pragma once

#include <cstdint>
#include <vector>

namespace hotrow {

constexpr int64_t kLine = 64;  // bytes

inline int64_t rounded_up(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

// Returns the first such address; at most kLine elements are left out.
template <typename Element>
Element* aligned(Element* memory) {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    return memory + (kLine - address % kLine) % kLine / sizeof(Element);
}

template <typename Element>
Element* aligned(std::vector<Element>& memory) {
    return aligned(memory.data());
}

}  // namespace hotrow
