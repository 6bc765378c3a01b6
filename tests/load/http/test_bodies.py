from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.load.http.bodies import Body, encoded_tensors, encoded_writer, raw_writer
from hotrow.load.query import RawRows
from hotrow.load.raw_rows import Columns
from hotrow.load.synthetic_rows import SyntheticRows

SCHEMA = Schema(
    format="",
    label="",
    dense=tuple(DenseFeature(name=f"I{n}") for n in range(3)),
    categorical=tuple(CategoricalFeature(name=f"C{n}", rows=99) for n in range(2)),
    lists=(ListFeature(name="h", kind="sequence", rows=50, mean_length=4.0),),
)
BLOCK = SyntheticRows(SCHEMA, seed=0).content(0, 5)
COLUMNS = Columns(dense=("I0", "I1"), categorical=("C0", "C1"), lists=("h",))
RAW = RawRows([{"I0": 3, "C0": "a", "h": ["1", "2"]}, {"I1": 2.5, "C1": 7}], {})


def whole(body: Body) -> bytes:
    return b"".join(body.parts)


def test_binary_tensors_follow_their_header() -> None:
    body = encoded_writer("binary", SCHEMA, timeout_us=25_000)(BLOCK)
    text = whole(body)
    assert body.header_length is not None
    header, data = json.loads(text[: body.header_length]), text[body.header_length :]
    assert header["parameters"] == {"binary_data_output": True, "timeout": 25_000}
    expected = encoded_tensors(BLOCK, SCHEMA)
    assert [tensor["name"] for tensor in header["inputs"]] == [
        "encoded.dense",
        "encoded.ids",
        "encoded.list.h",
        "lengths.h",
    ]
    for tensor in header["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        kind = {"FP32": "<f4", "INT32": "<i4"}[tensor["datatype"]]
        found = np.frombuffer(data[:size], dtype=kind).reshape(tensor["shape"])
        np.testing.assert_array_equal(found, expected[tensor["name"]])
        data = data[size:]
    assert data == b""


def test_json_tensors_have_the_same_values() -> None:
    body = encoded_writer("json", SCHEMA, timeout_us=None)(BLOCK)
    assert body.header_length is None
    content = json.loads(whole(body))
    assert content["parameters"] == {}
    expected = encoded_tensors(BLOCK, SCHEMA)
    assert {tensor["name"]: tensor["datatype"] for tensor in content["inputs"]} == {
        "encoded.dense": "FP32",
        "encoded.ids": "INT32",
        "encoded.list.h": "INT32",
        "lengths.h": "INT32",
    }
    for tensor in content["inputs"]:
        values = expected[tensor["name"]]
        found = np.array(tensor["data"]).astype(values.dtype).reshape(tensor["shape"])
        np.testing.assert_array_equal(found, values)


def test_kinds_of_features_that_are_not_there_are_left_out() -> None:
    schema = Schema(format="", label="", dense=(), categorical=SCHEMA.categorical)
    block = SyntheticRows(schema, seed=0).content(0, 5)
    assert list(encoded_tensors(block, schema)) == ["encoded.ids"]


@pytest.mark.parametrize("shared", [{}, {"I1": 9}])
def test_raw_tensors_are_as_the_server_reads_them(shared: dict[str, Any]) -> None:
    rows = RawRows(RAW.candidates if not shared else [RAW.candidates[0], {"C1": 7}], shared)
    content = json.loads(whole(raw_writer("json", COLUMNS, timeout_us=7)(rows)))
    inputs = {tensor["name"]: tensor for tensor in content["inputs"]}
    assert content["parameters"] == {"timeout": 7}
    dense = [3, 9, None, 9] if shared else [3, None, None, 2.5]
    assert (inputs["dense"]["shape"], inputs["dense"]["data"]) == ([2, 2], dense)
    assert (inputs["categorical"]["shape"], inputs["categorical"]["data"]) == ([2, 2], ["a", "", "", "7"])
    assert (inputs["list.h"]["shape"], inputs["list.h"]["data"]) == ([2], ["1", "2"])
    assert (inputs["lengths.h"]["shape"], inputs["lengths.h"]["data"]) == ([2], [2, 0])


def test_ranking_calls_carry_rows_and_context() -> None:
    write = raw_writer("rank", COLUMNS, timeout_us=None)
    assert json.loads(whole(write(RAW))) == {"candidates": RAW.candidates}
    shared = RawRows([{"I0": 1}, {}], {"C0": "x"})
    assert json.loads(whole(write(shared))) == {"candidates": [{"I0": 1}, {}], "context": {"C0": "x"}}
