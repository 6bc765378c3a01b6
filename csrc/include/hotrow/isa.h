// Kernels compiled once for each instruction set (csrc/isa/*.cpp) and chosen at run time.
//
// Each such file is compiled with HOTROW_ISA set to a namespace: baseline, avx2 or avx512. It defines
// one constant table of functions there, and nothing that the linker could merge between variants:
// only functions that are static or in an unnamed namespace.
#pragma once

namespace hotrow {

enum class Isa { baseline, avx2, avx512 };

// The best for this processor, or the one that HOTROW_ISA names if the processor has it.
Isa chosen_isa();

const char* isa_name(Isa isa);

}  // namespace hotrow

// Declares the table `name` of type `Type` in every variant's namespace, and defines `get()`, which
// returns that of the chosen instruction set. For use in namespace hotrow.
#if defined(HOTROW_X86)
#define HOTROW_CHOOSE_VARIANT(Type, name, get)                     \
    namespace baseline { extern const Type name; }                 \
    namespace avx2 { extern const Type name; }                     \
    namespace avx512 { extern const Type name; }                   \
    const Type& get() {                                            \
        static const Type& chosen = chosen_isa() == Isa::avx512 ? avx512::name \
                                    : chosen_isa() == Isa::avx2 ? avx2::name   \
                                                                : baseline::name; \
        return chosen;                                             \
    }
#else
#define HOTROW_CHOOSE_VARIANT(Type, name, get)     \
    namespace baseline { extern const Type name; } \
    const Type& get() { return baseline::name; }
#endif
