// Advice to the operating system about memory that rows lie in.
#pragma once

#include <cstdint>

namespace hotrow {

// Asks for huge pages for the whole ones within [address, address + bytes): random rows of a large
// table miss the TLB far less often. Only advice; does nothing where it is not supported.
void advise_huge_pages(uintptr_t address, int64_t bytes);

}  // namespace hotrow
