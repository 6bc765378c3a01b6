#include "hotrow/id_index.h"

#include <algorithm>

namespace hotrow {
namespace {

constexpr int64_t kGroup = 32;            // keys whose slots are fetched together
constexpr int64_t kGrain = 16384;         // lookups worth a thread's while

// Slot where probing starts: 32 hashed bits scaled to the capacity. reference.py: home_slots.
inline uint64_t home_slot(uint64_t key, uint64_t capacity) {
    uint64_t hashed = key * 0x9E3779B97F4A7C15u;
    hashed = (hashed ^ (hashed >> 32)) * 0xBF58476D1CE4E5B9u;
    return ((hashed >> 32) * capacity) >> 32;
}

// Hashes a group of keys and asks for their slots before any of them is looked at.
template <typename SlotType>
inline void fetch_group(const SlotType* slots, uint64_t capacity, const uint64_t* keys, int64_t count,
                        uint64_t* homes) {
    for (int64_t i = 0; i < count; ++i) {
        homes[i] = home_slot(keys[i], capacity);
        __builtin_prefetch(slots + homes[i]);
    }
}

template <typename SlotType>
inline int32_t find(const SlotType* slots, uint64_t capacity, uint64_t key, uint64_t home) {
    for (uint64_t at = home;;) {
        const SlotType slot = slots[at];
        if (slot.position < 0 || slot.key == key) return slot.position;
        if (++at == capacity) at = 0;
    }
}

}  // namespace

template <typename SlotType>
int64_t id_index_build(SlotType* slots, uint64_t capacity, const uint64_t* keys, int64_t count) {
    uint64_t homes[kGroup];
    for (int64_t first = 0; first < count; first += kGroup) {
        const int64_t size = std::min(kGroup, count - first);
        fetch_group(slots, capacity, keys + first, size, homes);
        for (int64_t i = 0; i < size; ++i) {
            const uint64_t key = keys[first + i];
            uint64_t at = homes[i];
            while (slots[at].position >= 0) {
                if (slots[at].key == key) return first + i;
                if (++at == capacity) at = 0;
            }
            slots[at].key = static_cast<decltype(slots[at].key)>(key);
            slots[at].position = static_cast<int32_t>(first + i);
        }
    }
    return -1;
}

template <typename SlotType>
void id_index_lookup(const SlotType* slots, uint64_t capacity, const uint64_t* keys, int64_t count,
                     int32_t* positions, int threads) {
    threads = static_cast<int>(std::min<int64_t>(threads, count / kGrain + 1));
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t grain = 0; grain < count; grain += kGrain) {
        uint64_t homes[kGroup];
        const int64_t end = std::min(grain + kGrain, count);
        for (int64_t first = grain; first < end; first += kGroup) {
            const int64_t size = std::min(kGroup, end - first);
            fetch_group(slots, capacity, keys + first, size, homes);
            for (int64_t i = 0; i < size; ++i) {
                positions[first + i] = find(slots, capacity, keys[first + i], homes[i]);
            }
        }
    }
}

template int64_t id_index_build(NarrowSlot*, uint64_t, const uint64_t*, int64_t);
template int64_t id_index_build(WideSlot*, uint64_t, const uint64_t*, int64_t);
template void id_index_lookup(const NarrowSlot*, uint64_t, const uint64_t*, int64_t, int32_t*, int);
template void id_index_lookup(const WideSlot*, uint64_t, const uint64_t*, int64_t, int32_t*, int);

}  // namespace hotrow
