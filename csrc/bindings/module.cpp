#include "bindings.h"

#include "hotrow/isa.h"
#include "hotrow/memory.h"

namespace nb = nanobind;
using namespace nb::literals;

NB_MODULE(_kernels, module) {
    bind_embedding_bag(module);
    bind_id_index(module);
    bind_key_counts(module);
    bind_row_bandwidth(module);
    bind_quantize_rows(module);
    bind_interact(module);
    bind_fp32_layers(module);
    bind_int8_layers(module);
    bind_fields(module);
    bind_values(module);
    module.def("advise_huge_pages", &hotrow::advise_huge_pages, "address"_a, "bytes"_a);
    module.def("instruction_set", [] { return hotrow::isa_name(hotrow::chosen_isa()); });
}
