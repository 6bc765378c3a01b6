"""What is long in a request by anything but its data is refused before objects are made of it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from hotrow.errors import RequestError
from hotrow.serving import Limits, reading
from hotrow.serving.info import ModelInfo
from hotrow.serving.reading import read_infer

LIMITS = Limits(max_tensors=4)
INFO = ModelInfo("sums", "1", ("I1",), ("C1",), (), ("label",), (9,))
MANY = 60_000
INPUT = b'{"name":"dense","datatype":"FP32","shape":[1,1],"data":[1]}'
LONG = {
    "outputs": b'{"inputs":[%s],"outputs":[%s]}' % (INPUT, b",".join([b'{"name":"score"}'] * MANY)),
    "parameters": b'{"inputs":[%s],"parameters":{%s}}'
    % (INPUT, b",".join(b'"%d":1' % number for number in range(MANY))),
    "shape": INPUT.join([b'{"inputs":[', b"]}"]).replace(b"[1,1]", b"[%s1]" % (b"1," * 4 * MANY)),
    "parameters of an input": b'{"inputs":[%s]}'
    % INPUT.replace(b"}", b',"parameters":{%s}}' % b",".join(b'"%d":1' % number for number in range(MANY))),
    "data given twice": b'{"inputs":[%s]}'
    % INPUT.replace(b"}", b',"data":[1]}').replace(b"[1]", b"[%s1]" % (b"1," * 4 * MANY), 1),
    "an unknown field": b'{"inputs":[%s],"more":[%s1]}' % (INPUT, b"1," * 4 * MANY),
}


@pytest.mark.parametrize("body", LONG.values(), ids=LONG.keys())
def test_json_that_is_long_by_other_than_data_is_refused(body: bytes, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "_INFER", None)  # nothing is decoded whole
    expected = r"^request body: \d+ bytes apart from the inputs' data, at most 262144 are allowed$"
    assert _peak_bytes(body, expected) < 100_000


def test_many_inputs_are_refused_where_they_are_too_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "_INFER", None)
    body = b'{"inputs":[%s]}' % b",".join([INPUT] * MANY)
    assert _peak_bytes(body, "^request body: Expected `array` of at most length 4") < 100_000


def _peak_bytes(body: bytes, expected: str) -> int:
    reading._outline(LIMITS.max_tensors)
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match=expected):
            read_infer(body, None, INFO, LIMITS)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_data_may_be_long(infer_body: Callable[..., dict[str, Any]]) -> None:
    body = json.dumps(infer_body(5_000)).encode()
    assert len(body) > 2 * LIMITS.max_json_bytes
    assert read_infer(body, None, INFO, LIMITS).wanted is None


@pytest.mark.parametrize("body", [b"[1", b'{"inputs":1}', b'{"inputs":["\xff"]}', b"[" * 5_000, b"{}"])
def test_mistakes_are_told_as_in_short_requests(body: bytes) -> None:
    told = []
    for sent in (body, body + b" " * LIMITS.max_json_bytes):
        with pytest.raises(RequestError) as caught:
            read_infer(sent, None, INFO, LIMITS)
        told.append(str(caught.value))
    assert told[0].partition(":")[0] == told[1].partition(":")[0] == "request body"
