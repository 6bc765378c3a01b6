#include "hotrow/memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hotrow {

void advise_huge_pages(uintptr_t address, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t kHugePage = uintptr_t{1} << 21;
    const uintptr_t first = (address + kHugePage - 1) & ~(kHugePage - 1);
    const uintptr_t last = (address + static_cast<uintptr_t>(bytes)) & ~(kHugePage - 1);
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
    (void)address;
    (void)bytes;
#endif
}

}  // namespace hotrow
