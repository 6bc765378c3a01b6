// One function for each operator's part of the module. Glue unpacks to raw pointers, releases the
// GIL and calls; shapes are checked in Python.
#pragma once

#include <nanobind/nanobind.h>

void bind_embedding_bag(nanobind::module_& module);
void bind_id_index(nanobind::module_& module);
void bind_key_counts(nanobind::module_& module);
void bind_row_bandwidth(nanobind::module_& module);
void bind_quantize_rows(nanobind::module_& module);
void bind_interact(nanobind::module_& module);
void bind_fp32_layers(nanobind::module_& module);
void bind_int8_layers(nanobind::module_& module);
void bind_fields(nanobind::module_& module);
void bind_values(nanobind::module_& module);
