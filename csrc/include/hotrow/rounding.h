// Where the random bits of stochastic rounding begin (see hotrow/kernels/embedding_bag/rounding.py).
#pragma once

#include <cstdint>

namespace hotrow {

// The salt of one table at one step.
inline uint32_t rounding_salt(uint64_t seed, uint64_t step, uint64_t table) {
    uint64_t state = seed * 0xD1342543DE82EF95u + step * 0x9E3779B97F4A7C15u + table * 0xDA942042E4DD58B5u;
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
    state = (state ^ (state >> 27)) * 0x94D049BB133111EBu;
    return static_cast<uint32_t>((state ^ (state >> 31)) >> 32);
}

}  // namespace hotrow
