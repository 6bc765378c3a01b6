#include "hotrow/row_kernels.h"

#include "hotrow/isa.h"

namespace hotrow {

HOTROW_CHOOSE_VARIANT(RowKernels, row_kernels, row_kernels)

}  // namespace hotrow
