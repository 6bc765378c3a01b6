// Immutable hash index from 64-bit keys to positions: open addressing, linear probing.
#pragma once

#include <cstdint>

namespace hotrow {

#pragma pack(push, 1)
template <typename Key>
struct Slot {
    Key key;
    int32_t position;  // negative: empty
};
#pragma pack(pop)

using NarrowSlot = Slot<uint32_t>;  // all keys below 2^32
using WideSlot = Slot<uint64_t>;
static_assert(sizeof(NarrowSlot) == 8 && sizeof(WideSlot) == 12);

// Fills empty slots with keys at positions 0, 1, ...; returns the position of the first key that
// occurred before, or -1. capacity must exceed count and be below 2^32.
template <typename SlotType>
int64_t id_index_build(SlotType* slots, uint64_t capacity, const uint64_t* keys, int64_t count);

// positions[i] = position of keys[i], or -1.
template <typename SlotType>
void id_index_lookup(const SlotType* slots, uint64_t capacity, const uint64_t* keys, int64_t count,
                     int32_t* positions, int threads);

}  // namespace hotrow
