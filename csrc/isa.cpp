#include "hotrow/isa.h"

#include <cstdlib>
#include <cstring>

namespace hotrow {
namespace {

Isa choose() {
#if defined(HOTROW_X86)
    const char* wanted = std::getenv("HOTROW_ISA");
    const auto may_use = [wanted](const char* name) {
        return wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, name) == 0;
    };
    __builtin_cpu_init();
    if (may_use("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        return Isa::avx512;
    }
    if (may_use("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") &&
        __builtin_cpu_supports("fma")) {
        return Isa::avx2;
    }
#endif
    return Isa::baseline;
}

}  // namespace

Isa chosen_isa() {
    static const Isa chosen = choose();
    return chosen;
}

const char* isa_name(Isa isa) {
    return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "baseline";
}

}  // namespace hotrow
