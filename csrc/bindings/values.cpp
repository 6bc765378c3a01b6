#include "hotrow/values.h"

#include <nanobind/ndarray.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

constexpr uint64_t kMissingKey = 0xFFFF'FFFF'FFFF'FFFF;
constexpr int64_t kMostInteger = 1'000'000'000'000'000'000;  // 19 digits

template <typename Number>
using Out = nb::ndarray<Number, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

bool read_integer(PyObject* value, double* out) {
    if (value == Py_None) {
        *out = std::numeric_limits<double>::quiet_NaN();
    } else if (PyFloat_Check(value)) {
        *out = PyFloat_AS_DOUBLE(value);
        return std::abs(*out) < static_cast<double>(kMostInteger) && *out == std::trunc(*out);
    } else if (PyLong_Check(value) && !PyBool_Check(value)) {
        int overflow = 0;
        const int64_t whole = PyLong_AsLongLongAndOverflow(value, &overflow);
        *out = static_cast<double>(whole);
        return overflow == 0 && whole > -kMostInteger && whole < kMostInteger;
    } else {
        return false;
    }
    return true;
}

bool read_key(PyObject* value, uint64_t* out) {
    *out = kMissingKey;
    if (value == Py_None) return true;
    if (!PyUnicode_Check(value)) return false;
    const auto length = static_cast<size_t>(PyUnicode_GET_LENGTH(value));
    if (length == 0) return true;
    return PyUnicode_IS_COMPACT_ASCII(value) &&
           hotrow::read_hex(static_cast<const char*>(PyUnicode_DATA(value)), length, out);
}

// Returns the position of the first value that cannot be read, or -1.
template <typename Number, typename Read>
int64_t read_all(nb::handle values, const Out<Number>& out, Read read) {
    PyObject* const sequence = PySequence_Fast(values.ptr(), "expected a sequence");
    if (sequence == nullptr) throw nb::python_error();
    const nb::object held = nb::steal(sequence);
    PyObject** const items = PySequence_Fast_ITEMS(sequence);
    const auto count = static_cast<size_t>(PySequence_Fast_GET_SIZE(sequence));
    if (count != out.size()) throw nb::value_error("expected as many places as values");
    for (size_t i = 0; i < count; ++i) {
        if (!read(items[i], out.data() + i)) return static_cast<int64_t>(i);
    }
    return -1;
}

int64_t read_integers(nb::handle values, const Out<double>& out) { return read_all(values, out, read_integer); }

int64_t read_hex(nb::handle values, const Out<uint64_t>& out) { return read_all(values, out, read_key); }

// Returns a list of texts, each with 4 bytes of length before it; None if they are not exactly the data.
nb::object read_texts(nb::bytes data, size_t count) {
    const char* at = data.c_str();
    size_t left = data.size();
    if (count > left / 4) return nb::none();
    const nb::object texts = nb::steal(PyList_New(static_cast<Py_ssize_t>(count)));
    if (!texts.is_valid()) throw nb::python_error();
    for (size_t i = 0; i < count; ++i) {
        if (left < 4) return nb::none();
        size_t length = 0;
        for (int byte = 3; byte >= 0; --byte) length = length << 8 | static_cast<uint8_t>(at[byte]);
        if (length > left - 4) return nb::none();
        PyObject* const text = PyUnicode_DecodeUTF8(at + 4, static_cast<Py_ssize_t>(length), nullptr);
        if (text == nullptr) {
            PyErr_Clear();
            return nb::none();
        }
        PyList_SET_ITEM(texts.ptr(), static_cast<Py_ssize_t>(i), text);
        at += 4 + length;
        left -= 4 + length;
    }
    return left == 0 ? texts : nb::none();
}

template <typename Number>
bool read_json(nb::bytes text, const Out<Number>& out) {
    return hotrow::read_json_numbers(text.c_str(), text.size(), out.data(), out.size());
}

}  // namespace

void bind_values(nb::module_& module) {
    module.def("read_integers", read_integers, "values"_a, "out"_a);
    module.def("read_hex", read_hex, "values"_a, "out"_a);
    module.def("read_texts", read_texts, "data"_a, "count"_a);
    module.def("read_json_reals", read_json<double>, "text"_a, "out"_a);
    module.def("read_json_integers", read_json<int64_t>, "text"_a, "out"_a);
}
