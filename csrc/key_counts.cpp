#include "hotrow/key_counts.h"

#include <algorithm>
#include <bit>

namespace hotrow {
namespace {

constexpr int64_t kGroup = 32;  // keys whose slots are fetched together
constexpr size_t kFirstSlots = 1024;

}  // namespace

KeyCounts::KeyCounts() : slots_(kFirstSlots), shift_(64 - std::countr_zero(kFirstSlots)) {}

uint64_t KeyCounts::home(uint64_t key) const {
    uint64_t hashed = key * 0x9E3779B97F4A7C15u;
    hashed = (hashed ^ (hashed >> 32)) * 0xBF58476D1CE4E5B9u;
    return hashed >> shift_;
}

void KeyCounts::count_at(uint64_t slot, uint64_t key, int64_t count) {
    const uint64_t last = slots_.size() - 1;
    while (slots_[slot].count != 0 && slots_[slot].key != key) slot = (slot + 1) & last;
    size_ += slots_[slot].count == 0;
    slots_[slot].key = key;
    slots_[slot].count += count;
}

// At most half of the slots are taken once so many new keys were counted.
void KeyCounts::make_room(int64_t keys) {
    size_t wanted = slots_.size();
    while (static_cast<size_t>(size_ + keys) * 2 > wanted) wanted *= 2;
    if (wanted == slots_.size()) return;
    std::vector<Slot> before(wanted);
    before.swap(slots_);
    shift_ = 64 - std::countr_zero(wanted);
    size_ = 0;
    for (const Slot& slot : before) {
        if (slot.count != 0) count_at(home(slot.key), slot.key, slot.count);
    }
}

template <typename Key>
void KeyCounts::add(const Key* keys, const int64_t* counts, int64_t size) {
    uint64_t homes[kGroup];
    for (int64_t first = 0; first < size; first += kGroup) {
        const int64_t group = std::min(kGroup, size - first);
        make_room(group);
        for (int64_t i = 0; i < group; ++i) {
            homes[i] = home(keys[first + i]);
            __builtin_prefetch(&slots_[homes[i]], 1);
        }
        for (int64_t i = 0; i < group; ++i) {
            count_at(homes[i], keys[first + i], counts == nullptr ? 1 : counts[first + i]);
        }
    }
}

template void KeyCounts::add(const uint32_t*, const int64_t*, int64_t);
template void KeyCounts::add(const uint64_t*, const int64_t*, int64_t);

void KeyCounts::write(uint64_t* keys, int64_t* counts) const {
    for (const Slot& slot : slots_) {
        if (slot.count == 0) continue;
        *keys++ = slot.key;
        *counts++ = slot.count;
    }
}

}  // namespace hotrow
