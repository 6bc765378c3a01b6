"""What the compiled functions read is what the specification reads."""

from __future__ import annotations

import json
import struct
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotrow.kernels import values as operator
from hotrow.kernels.dispatch import available_backends, record_paths
from hotrow.kernels.values import reference

BACKENDS = available_backends("values")
MISSING = 2**64 - 1


@pytest.fixture(params=BACKENDS, scope="module")
def backend(request: Any) -> Any:
    return operator.OPERATOR.select(request.param).implementation


class Whole(int):
    """A subclass."""


INTEGERS: list[tuple[object, float | None]] = [
    (3, 3),
    (-0.0, 0),
    (2.0, 2),
    (None, np.nan),
    (10**18 - 1, 1e18),
    (1 - 10**18, -1e18),
    (10**18, None),
    (-(10**18), None),
    (10**30, None),
    (9e17, 9e17),
    (1e18, None),
    (float("inf"), None),
    (float("nan"), None),
    (0.5, None),
    (True, None),
    ("5", None),
    ([], None),
    (Whole(4), 4),
    (np.float64(6), 6),
    (np.int64(6), None),
]


@pytest.mark.parametrize(("value", "expected"), INTEGERS, ids=repr)
@pytest.mark.parametrize("make", [list, tuple])
def test_integers(backend: ModuleType, make: Any, value: object, expected: float | None) -> None:
    out = np.empty(3)
    found = backend.read_integers(make([1, value, 2]), out)
    if expected is None:
        assert found == 1
    else:
        assert found == -1
        np.testing.assert_array_equal(out, [1, expected, 2])


KEYS: list[tuple[object, int | None]] = [
    ("68fd1e64", 0x68FD1E64),
    ("F", 15),
    ("00000000", 0),
    ("ffffffff", 2**32 - 1),
    ("", MISSING),
    (None, MISSING),
    ("123456789", None),
    ("g", None),
    ("0x1", None),
    (" 1", None),
    ("1\n", None),
    ("+1", None),
    ("1_0", None),
    ("\u0661", None),
    ("@", None),
    ("`", None),
    ("\x10", None),
    (5, None),
    (b"5", None),
]


@pytest.mark.parametrize(("value", "expected"), KEYS, ids=repr)
def test_hexadecimal_keys(backend: ModuleType, value: object, expected: int | None) -> None:
    out = np.empty(3, dtype=np.uint64)
    found = backend.read_hex(["a", value, "b"], out)
    if expected is None:
        assert found == 1
    else:
        assert found == -1
        assert out.tolist() == [10, expected, 11]


@given(
    values=st.lists(st.one_of(st.text(max_size=9), st.text("0123456789abcdefABCDEF", max_size=9), st.none()))
)
def test_keys_are_those_of_the_specification(values: list[str | None]) -> None:
    expected, found = (np.zeros(len(values), dtype=np.uint64) for _ in range(2))
    wrong = reference.read_hex(values, expected)
    assert operator.read_hex(values, found) == wrong
    kept = slice(len(values) if wrong < 0 else wrong)
    np.testing.assert_array_equal(found[kept], expected[kept])


def _packed(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


@given(texts=st.lists(st.text(max_size=5)), cut=st.integers(0, 9), more=st.binary(max_size=6))
def test_texts(texts: list[str], cut: int, more: bytes) -> None:
    data = _packed(texts)
    assert operator.read_texts(data, len(texts)) == reference.read_texts(data, len(texts)) == texts
    for changed in (data[: max(len(data) - cut, 0)] + more, more + data):
        for count in (len(texts), len(texts) + 1, 0):
            assert operator.read_texts(changed, count) == reference.read_texts(changed, count)


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"\1\0\0\0\xff", 1), (b"\xff\xff\xff\xff", 1), (b"\0\0\0", 1), (b"", 1), (b"\0\0\0\0", 2**40)],
)
def test_texts_that_are_none(backend: ModuleType, data: bytes, count: int) -> None:
    assert backend.read_texts(data, count) is None


NUMBERS = [
    *(
        "[]",
        " [ ] ",
        "[1]",
        "[ 1 , 2 ]",
        "[1,2]\n",
        "[-0]",
        "[-0.0]",
        "[1e3]",
        "[1E+3]",
        "[1.5e-3]",
        "[1e400]",
    ),
    *("[1e-400]", "[0e-400]", "[4.9e-324]", "[1.7976931348623157e308]", "[9223372036854775807]"),
    *("[9223372036854775808]", "[-9223372036854775808]", "[-9223372036854775809]", "[1.0]", "[1.]", "[.5]"),
    *("[01]", "[+1]", "[-]", "[1e]", "[1,]", "[,1]", "[1 2]", "[1", "1", "", "[[1]]", "[null]", "[NaN]"),
    *("[Infinity]", "[true]", '["1"]', "[1]x", "{}", "[0x1]", "[1_0]", "[\u0661]", "\ufeff[1]", "[1\x0b]"),
    *("[" + "1" * 400 + "]", "[" + "9" * 5000 + "]", "[0." + "1" * 5000 + "]", "[" * 3000),
]


def _require_equal(text: bytes, count: int) -> None:
    for dtype, name in ((np.float64, "read_json_reals"), (np.int64, "read_json_integers")):
        expected, found = np.zeros(count, dtype=dtype), np.zeros(count, dtype=dtype)
        is_right = getattr(reference, name)(text, expected)
        assert getattr(operator, name)(text, found) == is_right
        if is_right:
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("text", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize("count", [0, 1, 2])
def test_numbers_in_json(text: str, count: int) -> None:
    _require_equal(text.encode(), count)


@given(numbers=st.lists(st.one_of(st.floats(), st.integers(), st.integers(-(2**63), 2**63 - 1))))
@example(numbers=[5e-324, 2.2250738585072014e-308, 0.1 + 0.2, 1e22, 1e23])
def test_numbers_as_written_by_others(numbers: list[float]) -> None:
    _require_equal(json.dumps(numbers).encode(), len(numbers))


@given(text=st.text("[]0123456789.,eE+- \n", max_size=12), count=st.integers(0, 3))
def test_noise(text: str, count: int) -> None:
    _require_equal(text.encode(), count)


def test_what_is_right_is_read() -> None:
    out, whole = np.empty(3), np.empty(3, dtype=np.int64)
    assert operator.read_json_reals(b"[1, 2.5, -3e2]", out)
    assert out.tolist() == [1, 2.5, -300]
    assert operator.read_json_integers(b"[1, 2, -3]", whole)
    assert whole.tolist() == [1, 2, -3]


def test_the_best_backend_runs() -> None:
    with record_paths() as paths:
        operator.read_integers([1], np.empty(1))
        operator.read_hex(["1"], np.empty(1, dtype=np.uint64))
        operator.read_texts(b"", 0)
    assert paths == [(name, BACKENDS[0]) for name in ("read_integers", "read_hex", "read_texts")]
