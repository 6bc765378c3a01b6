#include "hotrow/values.h"

#include <charconv>
#include <system_error>

namespace hotrow {

namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_space(const char* at, const char* end) {
    while (at != end && is_space(*at)) ++at;
    return at;
}

const char* skip_digits(const char* at, const char* end) {
    while (at != end && is_digit(*at)) ++at;
    return at;
}

// Returns the end of the JSON number that begins at `at`, whose grammar is stricter than from_chars'; null if
// there is none.
const char* number_end(const char* at, const char* end) {
    if (at != end && *at == '-') ++at;
    if (at == end || !is_digit(*at)) return nullptr;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (at != end && *at == '.') {
        const char* digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits) return nullptr;
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
        ++at;
        if (at != end && (*at == '+' || *at == '-')) ++at;
        const char* digits = at;
        at = skip_digits(digits, end);
        if (at == digits) return nullptr;
    }
    return at;
}

template <typename Number>
bool read_numbers(const char* at, const char* end, Number* values, size_t count) {
    at = skip_space(at, end);
    if (at == end || *at++ != '[') return false;
    for (size_t i = 0; i < count; ++i) {
        at = skip_space(at, end);
        if (i > 0) {
            if (at == end || *at++ != ',') return false;
            at = skip_space(at, end);
        }
        const char* stop = number_end(at, end);
        if (stop == nullptr) return false;
        const std::from_chars_result read = std::from_chars(at, stop, values[i]);
        if (read.ec != std::errc() || read.ptr != stop) return false;
        at = stop;
    }
    at = skip_space(at, end);
    return at != end && *at == ']' && skip_space(at + 1, end) == end;
}

int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

bool read_hex(const char* text, size_t length, uint64_t* value) {
    if (length < 1 || length > 8) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < length; ++i) {
        const int digit = digit_value(text[i]);
        if (digit < 0) return false;
        sum = sum << 4 | static_cast<uint64_t>(digit);
    }
    *value = sum;
    return true;
}

bool read_json_numbers(const char* text, size_t length, double* values, size_t count) {
    return read_numbers(text, text + length, values, count);
}

bool read_json_numbers(const char* text, size_t length, int64_t* values, size_t count) {
    return read_numbers(text, text + length, values, count);
}

}  // namespace hotrow
