// Chooses the variant of the row kernels once, when they are first used.
#include "hotrow/row_kernels.h"

#include <cstdlib>
#include <cstring>

namespace hotrow {

namespace baseline {
extern const RowKernels kernels;
}
#if defined(HOTROW_X86)
namespace avx2 {
extern const RowKernels kernels;
}
namespace avx512 {
extern const RowKernels kernels;
}
#endif

namespace {

const RowKernels& choose() {
    const char* wanted = std::getenv("HOTROW_ISA");
    const auto may_use = [wanted](const char* name) {
        return wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, name) == 0;
    };
#if defined(HOTROW_X86)
    __builtin_cpu_init();
    if (may_use("avx512") && __builtin_cpu_supports("avx512f")) return avx512::kernels;
    if (may_use("avx2") && __builtin_cpu_supports("avx2")) return avx2::kernels;
#endif
    (void)may_use;
    return baseline::kernels;
}

}  // namespace

const RowKernels& row_kernels() {
    static const RowKernels& chosen = choose();
    return chosen;
}

}  // namespace hotrow
