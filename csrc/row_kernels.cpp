#include "hotrow/row_kernels.h"

#include "hotrow/checksums.h"
#include "hotrow/isa.h"

namespace hotrow {

HOTROW_CHOOSE_VARIANT(LookupKernels, lookup_table, lookup_kernels)
HOTROW_CHOOSE_VARIANT(UpdateKernels, update_table, update_kernels)
HOTROW_CHOOSE_VARIANT(CheckKernels, check_table, check_kernels)

}  // namespace hotrow
