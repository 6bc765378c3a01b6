// Fields of text tables: where they end, and the numbers in them.
//
// At least 24 bytes lie before the first field, so that the eight bytes before any place in it can be loaded.
#pragma once

#include <cstdint>

namespace hotrow {

// Places of fields, (rows, fields); rows are `stride` places apart.
struct Fields {
    const int64_t *starts, *ends;
    int64_t rows, fields, start_stride, end_stride;
};

// Writes the places of TABs and newlines, in order, and returns how many there are.
int64_t find_separators(const uint8_t* text, int64_t size, int64_t* places);

// Reads 1 to 8 hexadecimal digits, or nothing, which is 2^64 - 1: values (fields, rows). wrong (rows): the first
// field that is anything else, or -1.
void read_hex_fields(const uint8_t* text, const Fields& at, uint64_t* values, int64_t* wrong);

// Reads 1 to 18 decimal digits after a minus sign or not, or nothing, which is NaN: values (rows, fields).
void read_integer_fields(const uint8_t* text, const Fields& at, double* values, int64_t* wrong);

}  // namespace hotrow
