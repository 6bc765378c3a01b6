"""Binary tensors over HTTP, by a client of this process."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

INFER = "/v2/models/sums/infer"
HEADER = "Inference-Header-Content-Length"


def text_tensor(values: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


def post(client: Any, tensors: list[tuple[str, str, list[int], bytes]], **more: Any) -> Any:
    """Send binary tensors."""
    inputs = [
        {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, kind, shape, data in tensors
    ]
    header = json.dumps({"inputs": inputs, **more}).encode()
    body = header + b"".join(data for *_, data in tensors)
    return client.post(INFER, content=body, headers={HEADER: str(len(header))})


def raw(rows: int = 2) -> list[tuple[str, str, list[int], bytes]]:
    dense = np.arange(rows * 13, dtype="<f4")
    return [
        ("dense", "FP32", [rows, 13], dense.tobytes()),
        ("categorical", "BYTES", [rows, 26], text_tensor(["68fd1e64", ""] * 13 * rows)),
    ]


def encoded(rows: int = 2) -> list[tuple[str, str, list[int], bytes]]:
    dense = np.arange(rows * 13, dtype="<f4")
    ids = np.arange(rows * 26, dtype="<i4") % 9
    return [
        ("encoded.dense", "FP32", [rows, 13], dense.tobytes()),
        ("encoded.ids", "INT32", [rows, 26], ids.tobytes()),
    ]


@pytest.mark.parametrize("make", [raw, encoded])
@pytest.mark.parametrize("rows", [0, 1, 3, 64])
def test_binary_tensors_are_scored(client: Any, make: Callable[[int], Any], rows: int) -> None:
    answer = post(client, make(rows))
    assert answer.status_code == 200
    expected = (np.arange(rows, dtype=np.float32) * 13) / np.float32(100)
    assert answer.json()["outputs"][0]["data"] == expected.tolist()


@pytest.mark.parametrize("make", [raw, encoded])
def test_an_answer_may_be_binary(client: Any, make: Callable[[int], Any]) -> None:
    answer = post(client, make(3), parameters={"binary_data_output": True}, id="x")
    length = int(answer.headers[HEADER])
    header = json.loads(answer.content[:length])
    output = {"name": "score", "datatype": "FP32", "shape": [3], "parameters": {"binary_data_size": 12}}
    assert header == {"model_name": "sums", "model_version": "1", "id": "x", "outputs": [output]}
    scores = np.frombuffer(answer.content[length:], "<f4")
    np.testing.assert_array_equal(scores, np.array([0, 13, 26], dtype=np.float32) / np.float32(100))
    one = post(client, make(1), outputs=[{"name": "score", "parameters": {"binary_data": True}}])
    assert one.content[int(one.headers[HEADER]) :] == b"\0" * 4


def test_a_missing_number_is_nan(client: Any, scorer: Any) -> None:
    name, kind, shape, data = raw(1)[0]
    values = np.frombuffer(data, "<f4").copy()
    values[4] = np.nan
    assert post(client, [(name, kind, shape, values.tobytes()), raw(1)[1]]).status_code == 200
    assert np.isnan(scorer.blocks[-1].dense[0]).nonzero()[0].tolist() == [4]


def test_encoded_rows_may_be_json(client: Any) -> None:
    inputs = [
        {"name": "encoded.dense", "datatype": "FP32", "shape": [2, 13], "data": list(range(26))},
        {"name": "encoded.ids", "datatype": "INT32", "shape": [2, 26], "data": [[1] * 26] * 2},
    ]
    answer = client.post(INFER, {"inputs": inputs})
    assert answer.json()["outputs"][0]["data"] == [0.0, float(np.float32(13) / np.float32(100))]


def _with(tensors: list[Any], at: int, **change: Any) -> list[Any]:
    fields = dict(zip(("name", "kind", "shape", "data"), tensors[at], strict=True)) | change
    return [*tensors[:at], tuple(fields.values()), *tensors[at + 1 :]]


_IDS = np.zeros((2, 26), dtype="<i4")
_IDS[1, 25] = 9
_DENSE = np.zeros((2, 13), dtype="<f4")
_DENSE[1, 12] = np.nan
BAD = {
    "short": (_with(raw(), 0, data=b"\0" * 100), "input dense: 100 bytes, expected 104 by shape [2, 13]"),
    "text cut": (_with(raw(), 1, data=raw()[1][3][:-1]), "input categorical: 415 bytes hold"),
    "text behind": (_with(raw(), 1, data=raw()[1][3] + b"\0" * 4), "elements or more, expected 52"),
    "long text": (
        _with(raw(), 1, data=b"\xff" * 416),
        "input categorical: 416 bytes hold 0 elements or more, expected 52",
    ),
    "not UTF-8": (_with(raw(), 1, data=b"\x01\0\0\0\xff" * 52), "element 0 is not UTF-8"),
    "id": (
        _with(encoded(), 1, data=_IDS.tobytes()),
        "input encoded.ids: row 1, C26: id 9, expected 0 to 8",
    ),
    "negative id": (_with(encoded(), 1, data=(_IDS - 1).tobytes()), "row 0, C1: id -1, expected 0 to 8"),
    "nan": (
        _with(encoded(), 0, data=_DENSE.tobytes()),
        "input encoded.dense: row 1, column 12: nan, expected a finite number",
    ),
    "inf": (
        _with(encoded(), 0, data=(_DENSE - np.inf).tobytes()),
        "row 0, column 0: -inf, expected a finite",
    ),
    "datatype": (_with(encoded(), 0, kind="FP64"), "datatype 'FP64', expected FP32"),
    "width": (_with(encoded(), 0, shape=[26, 1]), "shape [26, 1], expected [rows, 13]"),
    "too many": (_with(encoded(), 0, shape=[65, 13]), "of at most 64 rows"),
    "rows": (_with(encoded(2), 0, shape=[1, 13], data=b"\0" * 52), "1 encoded.dense, 2 encoded.ids"),
    "half": (encoded()[:1], "expected encoded.dense and encoded.ids once each"),
    "both": ([*encoded(), *raw()], "expected encoded.dense and encoded.ids once each"),
    "twice": ([*encoded(), encoded()[0]], "once each"),
}


@pytest.mark.parametrize(("tensors", "message"), BAD.values(), ids=BAD.keys())
def test_bad_tensors_are_told(client: Any, tensors: Any, message: str) -> None:
    answer = post(client, tensors)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ("99999", "Inference-Header-Content-Length: 99999, but the body has"),
        ("-1", "'-1', expected a number of bytes"),
        ("x", "'x', expected a number of bytes"),
        ("9" * 30, "expected a number of bytes"),
        ("0", "request body"),
    ],
)
def test_a_false_header_length_is_told(client: Any, length: str, message: str) -> None:
    answer = client.post(INFER, content=b"{}", headers={HEADER: length})
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize("size", [-1, 10**30, True, 1.5, "8", None, 27])
def test_false_sizes_are_told(client: Any, size: object) -> None:
    tensor = {"name": "encoded.ids", "datatype": "INT32", "shape": [1, 26]}
    header = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": size}}]}).encode()
    answer = client.post(INFER, content=header + b"\0" * 26, headers={HEADER: str(len(header))})
    assert answer.status_code == 400
    assert "bytes" in answer.json()["error"]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, None, "got `null`"),
        (0, "1", "got `str`"),
        (0, 1e39, "input encoded.dense: data: a number beyond FP32"),
        (1, 2**31, "input encoded.ids: data: a number beyond INT32"),
        (1, -(2**31), "input encoded.ids: data: a number beyond INT32"),
        (1, 2**80, "input encoded.ids: data"),
        (1, 1.5, "got `float`"),
        (1, -1, "row 0, C1: id -1, expected 0 to 8"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_json_that_is_no_encoded_row_is_told(
    client: Any, at: int, value: object, message: str, nested: bool
) -> None:
    data: list[list[Any]] = [[0.0] * 13, [1] * 26]
    data[at][0] = value
    shown: list[Any] = [[row] for row in data] if nested else data
    inputs = [
        {"name": "encoded.dense", "datatype": "FP32", "shape": [1, 13], "data": shown[0]},
        {"name": "encoded.ids", "datatype": "INT32", "shape": [1, 26], "data": shown[1]},
    ]
    answer = client.post(INFER, {"inputs": inputs})
    assert answer.status_code == 400
    assert message in answer.json()["error"]
