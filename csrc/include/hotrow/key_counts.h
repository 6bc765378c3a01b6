// How often each 64-bit key occurs: a hash table with open addressing and linear probing that grows.
#pragma once

#include <cstdint>
#include <vector>

namespace hotrow {

class KeyCounts {
public:
    KeyCounts();

    int64_t size() const { return size_; }

    // Counts keys of 32 or 64 bits, each once, or counts[i] times, at least 1.
    template <typename Key>
    void add(const Key* keys, const int64_t* counts, int64_t size);

    // Writes all keys, in no order, and how often each was counted.
    void write(uint64_t* keys, int64_t* counts) const;

private:
    struct Slot {
        uint64_t key;
        int64_t count;  // 0: empty
    };
    uint64_t home(uint64_t key) const;
    void count_at(uint64_t slot, uint64_t key, int64_t count);
    void make_room(int64_t keys);

    std::vector<Slot> slots_;  // a power of two of them
    int shift_ = 0;            // of hashes, to slots
    int64_t size_ = 0;
};

}  // namespace hotrow
