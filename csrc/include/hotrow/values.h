// Numbers and keys from text, as requests to the server have it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hotrow {

// Reads 1 to 8 hexadecimal digits; false if the text is anything else.
bool read_hex(const char* text, size_t length, uint64_t* value);

// Reads a flat JSON array of exactly `count` numbers. False if the text is anything else, or if a number is not
// exactly one of the type: integers beyond 64 bits or with a fraction, reals beyond float64.
bool read_json_numbers(const char* text, size_t length, double* values, size_t count);
bool read_json_numbers(const char* text, size_t length, int64_t* values, size_t count);

}  // namespace hotrow
