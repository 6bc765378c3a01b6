from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hotrow.data.raw import MISSING_KEY

PATH = "/v2/models/sums/infer"
Body = Callable[..., dict[str, Any]]


def _dense(body: dict[str, Any]) -> dict[str, Any]:
    tensor: dict[str, Any] = body["inputs"][0]
    return tensor


def _categorical(body: dict[str, Any]) -> dict[str, Any]:
    tensor: dict[str, Any] = body["inputs"][1]
    return tensor


def test_scores_come_in_row_order(client: Any, infer_body: Body) -> None:
    answer = client.post(PATH, infer_body(3) | {"id": "42"})
    assert answer.status_code == 200
    assert answer.json() == {
        "model_name": "sums",
        "model_version": "1",
        "id": "42",
        "outputs": [
            {
                "name": "score",
                "datatype": "FP32",
                "shape": [3],
                "data": [float(np.float32(x)) for x in (0.0, 0.13, 0.26)],
            }
        ],
    }


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT32", "INT64"])
@pytest.mark.parametrize("nested", [False, True])
def test_values_reach_the_model_as_sent(
    client: Any, scorer: Any, infer_body: Body, datatype: str, nested: bool
) -> None:
    body = infer_body(2, datatype=datatype)
    values: list[Any] = [-3, None, *range(2, 26)]
    ids: list[Any] = ["0000000a", "", None, *["ff"] * 49]
    _dense(body)["data"] = [values[:13], values[13:]] if nested else values
    _categorical(body)["data"] = [ids[:26], ids[26:]] if nested else ids
    assert client.post(PATH, body).status_code == 200
    block = scorer.blocks[-1]
    assert block.dense[0, 0] == -3
    assert np.isnan(block.dense[0, 1])
    np.testing.assert_array_equal(block.dense[1], range(13, 26))
    assert block.keys[:4, 0].tolist() == [10, int(MISSING_KEY), int(MISSING_KEY), 255]
    assert (block.keys[:, 1] == 255).all()


def test_no_rows_give_no_scores(client: Any, infer_body: Body) -> None:
    answer = client.post(PATH, infer_body(0))
    assert answer.json()["outputs"][0] == {"name": "score", "datatype": "FP32", "shape": [0], "data": []}


def test_the_output_may_be_named(client: Any, infer_body: Body) -> None:
    answer = client.post(PATH, infer_body(1) | {"outputs": [{"name": "score"}]})
    assert answer.status_code == 200


def test_harmless_parameters_are_allowed(client: Any, infer_body: Body) -> None:
    body = infer_body(1) | {"parameters": {"priority": 1, "binary_data_output": False}}
    assert client.post(PATH, body).status_code == 200


BAD = {
    "no inputs": (lambda b: b.pop("inputs"), "missing required field `inputs`"),
    "empty inputs": (lambda b: b.update(inputs=[]), "input 'dense' is missing"),
    "one input": (lambda b: b["inputs"].pop(), "input 'categorical' is missing"),
    "twice": (lambda b: b["inputs"].append(b["inputs"][0]), "a name is given twice"),
    "unknown input": (lambda b: _dense(b).update(name="x"), "input 'x' does not exist"),
    "unknown field": (lambda b: b.update(input=1), "unknown field `input`"),
    "unknown output": (lambda b: b.update(outputs=[{"name": "x"}]), "output 'x' does not exist"),
    "datatype": (lambda b: _dense(b).update(datatype="BOOL"), "datatype 'BOOL', expected FP32 or FP64"),
    "datatype of ids": (lambda b: _categorical(b).update(datatype="INT64"), "expected BYTES"),
    "no data": (lambda b: _dense(b).pop("data"), "input dense: data is missing"),
    "one dimension": (lambda b: _dense(b).update(shape=[26]), "shape [26], expected [rows, 13]"),
    "wrong width": (lambda b: _dense(b).update(shape=[2, 12]), "shape [2, 12], expected [rows, 13]"),
    "negative": (lambda b: _dense(b).update(shape=[-2, 13]), "expected [rows, 13]"),
    "huge": (lambda b: _dense(b).update(shape=[2**62, 13]), "at most 64 are allowed"),
    "overflow": (lambda b: _dense(b).update(shape=[10**30, 13]), "shape[0]"),
    "dimensions": (lambda b: _dense(b).update(shape=[1] * 9), "input dense: 9 dimensions, at most 8 are"),
    "parameters": (
        lambda b: b.update(parameters={str(number): 0 for number in range(65)}),
        "request: 65 parameters, at most 64 are allowed",
    ),
    "parameters of an input": (
        lambda b: _dense(b).update(parameters={str(number): 0 for number in range(65)}),
        "input dense: 65 parameters, at most 64 are allowed",
    ),
    "parameters of an output": (
        lambda b: b.update(outputs=[{"name": "score", "parameters": dict.fromkeys(map(str, range(65)))}]),
        "output score: 65 parameters, at most 64 are allowed",
    ),
    "float shape": (lambda b: _dense(b).update(shape=[2.5, 13]), "Expected `int`"),
    "rows differ": (lambda b: b.update(_rows(b, 3, 2)), "3 dense, 2 categorical"),
    "too few": (lambda b: _dense(b)["data"].pop(), "25 elements, expected 26 by shape [2, 13]"),
    "too many": (lambda b: _dense(b)["data"].append(1), "more elements than shape [2, 13]"),
    "too many ids": (lambda b: _categorical(b)["data"].append("a"), "53 elements, expected 52"),
    "ragged": (lambda b: _dense(b).update(data=[[1] * 14, [1] * 12]), "do not have shape [2, 13]"),
    "nested too deep": (lambda b: _dense(b).update(data=[[[1] * 13] * 2]), "got `array`"),
    "no list": (lambda b: _dense(b).update(data=7), "Expected `array`"),
    "object": (lambda b: _dense(b).update(data={"a": 1}), "Expected `array`"),
    "text in numbers": (lambda b: _dense(b)["data"].__setitem__(3, "7"), "got `str`"),
    "float in integers": (lambda b: _dense(b)["data"].__setitem__(3, 0.5), "got `float`"),
    "bool in numbers": (lambda b: _dense(b)["data"].__setitem__(3, True), "got `bool`"),
    "int32 range": (
        lambda b: (_dense(b).update(datatype="INT32"), _dense(b)["data"].__setitem__(0, 2**31)),
        "<=",
    ),
    "int64 range": (lambda b: _dense(b)["data"].__setitem__(0, 2**63), "input dense: data"),
    "number in ids": (lambda b: _categorical(b)["data"].__setitem__(3, 7), "got `int`"),
    "not hex": (lambda b: _categorical(b)["data"].__setitem__(27, "xyz"), "rows[1], column C2: found 'xyz'"),
    "half": (
        lambda b: (_dense(b).update(datatype="FP32"), _dense(b)["data"].__setitem__(14, 0.5)),
        "rows[1], column I2: found 0.5",
    ),
    "binary input": (
        lambda b: _dense(b).update(parameters={"binary_data_size": 8}),
        "binary_data_size 8, expected at most the 0 bytes left",
    ),
    "binary output": (
        lambda b: b.update(outputs=[{"name": "score", "parameters": {"binary_data": 1}}]),
        "parameter binary_data: 1, expected true or false",
    ),
    "timeout": (lambda b: b.update(parameters={"timeout": -1}), "timeout: -1, expected microseconds"),
    "endless timeout": (lambda b: b.update(parameters={"timeout": 10**400}), "expected microseconds"),
    "long id": (lambda b: b.update(id="x" * 1025), "id: 1025 characters"),
    "deep parameters": (lambda b: b.update(parameters={"a": {"b": 1}}), "parameters"),
}


def _rows(body: dict[str, Any], dense: int, categorical: int) -> dict[str, Any]:
    _dense(body).update(shape=[dense, 13], data=[0] * 13 * dense)
    _categorical(body).update(shape=[categorical, 26], data=[""] * 26 * categorical)
    return body


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_told_what_is_wrong(
    client: Any, scorer: Any, infer_body: Body, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    body = infer_body(2)
    change(body)
    answer = client.post(PATH, body)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}
    assert message in answer.json()["error"]
    assert scorer.blocks == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "request body"),
        (b"{", "request body"),
        (b"[]", "Expected `object`"),
        (b"\xff\xfe", "request body"),
        (b'{"inputs": [{"name": "\xff"}]}', "not UTF-8"),
        (b'{"inputs":' + b"[" * 9000, "request body"),
        (b'{"inputs":[{"name":"dense","datatype":"FP32","shape":[1,13],"data":' + b"[" * 9000, "too deeply"),
    ],
    ids=range(7),
)
def test_a_body_that_is_no_request(client: Any, content: bytes, message: str) -> None:
    answer = client.post(PATH, content=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1e400"])
def test_numbers_that_are_none(client: Any, infer_body: Body, number: str) -> None:
    body = infer_body(1, datatype="FP64")
    _dense(body)["data"][0] = "@"
    answer = client.post(PATH, content=json.dumps(body).replace('"@"', number).encode())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(("input dense: data", "request body"))


def test_a_score_that_is_no_number_is_not_sent(
    client: Any, infer_body: Body, monkeypatch: Any, scorer: Any
) -> None:
    monkeypatch.setattr(scorer, "score_encoded", lambda block: np.array([[0.5], [np.inf]], dtype=np.float32))
    answer = client.post(PATH, infer_body(2))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("rows[1]: its score is not a finite number")
