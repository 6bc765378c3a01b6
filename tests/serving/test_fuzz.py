"""Whatever is sent, the server answers below 500 and with JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotrow.artifact import load_artifact
from hotrow.serving import Limits, RankingService

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NUMBER = st.none() | st.integers(-(2**70), 2**70) | st.floats() | st.integers(-3, 100)
IDENTIFIER = st.none() | st.text(max_size=9) | st.text("0123456789abcdefABCDEF", max_size=8)
SHAPE = st.lists(st.integers(-1, 3) | st.integers(), max_size=3)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["dense", "categorical"]) | st.text(max_size=4),
        "datatype": st.sampled_from(["FP32", "FP64", "INT32", "INT64", "BYTES", "BOOL"]),
        "shape": st.sampled_from([[1, 13], [1, 26], [2, 13], [0, 26]]) | SHAPE,
        "data": st.lists(NUMBER | IDENTIFIER, max_size=30) | JSON,
    },
    optional={"parameters": JSON, "extra": JSON},
)
NEARLY = st.fixed_dictionaries(
    {
        "inputs": st.tuples(
            st.fixed_dictionaries(
                {
                    "name": st.just("dense"),
                    "datatype": st.sampled_from(["FP32", "FP64", "INT32", "INT64"]),
                    "shape": st.just([1, 13]),
                    "data": st.lists(NUMBER, min_size=13, max_size=13),
                }
            ),
            st.fixed_dictionaries(
                {
                    "name": st.just("categorical"),
                    "datatype": st.just("BYTES"),
                    "shape": st.just([1, 26]),
                    "data": st.lists(IDENTIFIER, min_size=26, max_size=26),
                }
            ),
        )
    },
    optional={"id": st.text(), "outputs": JSON},
)
FEATURES = st.dictionaries(
    st.sampled_from(["I1", "I2", "C1", "C26", "X"]) | st.text(max_size=3),
    NUMBER | IDENTIFIER | JSON,
    max_size=4,
)
INFER = NEARLY | st.fixed_dictionaries({"inputs": st.lists(TENSOR, max_size=3)}, optional={"id": JSON}) | JSON
RANK = (
    st.fixed_dictionaries(
        {"candidates": st.lists(FEATURES, max_size=4)},
        optional={"context": FEATURES, "top_k": st.integers(), "id": JSON},
    )
    | JSON
)
REPEATEDLY = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def real_client(make_client: Any, run_folder: Path) -> Any:
    limits = Limits(max_body_bytes=50_000, max_rows=8)
    client = make_client(lambda: RankingService("m", load_artifact(run_folder), limits), limits)
    client.start()
    return client


def _check(answer: Any) -> None:
    content = answer.json()
    assert 200 <= answer.status_code < 500, (answer.status_code, content)
    assert (answer.status_code == 200) == ("error" not in content)
    assert "Traceback" not in answer.text
    assert "/hotrow/" not in answer.text


def _scores(content: dict[str, Any]) -> list[float]:
    outputs = content.get("outputs", [{"data": []}])[0]["data"]
    return [*outputs, *(entry["score"] for entry in content.get("ranking", []))]


@REPEATEDLY
@given(data=st.data())
@pytest.mark.parametrize(("path", "bodies"), [("/v2/models/m/infer", INFER), ("/v1/rank", RANK)])
def test_json_of_any_shape(
    real_client: Any, path: str, bodies: st.SearchStrategy[object], data: st.DataObject
) -> None:
    text = json.dumps(data.draw(bodies), ensure_ascii=data.draw(st.booleans()))
    answer = real_client.post(path, content=text.encode("utf-8", "surrogatepass"))
    _check(answer)
    assert all(0 <= score <= 1 for score in _scores(answer.json()))


ROW = st.fixed_dictionaries(
    {},
    optional={f"I{number}": st.none() | st.integers(-(10**15), 10**15) for number in range(1, 14)}
    | {f"C{number}": st.none() | st.text("0123456789abcdefABCDEF", max_size=8) for number in range(1, 27)},
)


@REPEATEDLY
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_both_calls_give_correct_rows_the_same_scores(real_client: Any, rows: list[dict[str, Any]]) -> None:
    dense = [row.get(f"I{number}") for row in rows for number in range(1, 14)]
    ids = [row.get(f"C{number}") for row in rows for number in range(1, 27)]
    inputs = [
        {"name": "dense", "datatype": "INT64", "shape": [len(rows), 13], "data": dense},
        {"name": "categorical", "datatype": "BYTES", "shape": [len(rows), 26], "data": ids},
    ]
    inferred = real_client.post("/v2/models/m/infer", {"inputs": inputs})
    ranked = real_client.post("/v1/rank", {"candidates": rows})
    assert inferred.status_code == ranked.status_code == 200
    scores = _scores(inferred.json())
    assert all(0 <= score <= 1 for score in scores)
    assert {entry["index"]: entry["score"] for entry in ranked.json()["ranking"]} == dict(enumerate(scores))


@REPEATEDLY
@given(body=st.binary(max_size=300))
@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v1/rank"])
def test_any_bytes(real_client: Any, path: str, body: bytes) -> None:
    _check(real_client.post(path, content=body))


@REPEATEDLY
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_correct_request_with_a_wrong_byte(
    real_client: Any, infer_body: Callable[..., dict[str, Any]], position: int, byte: int
) -> None:
    body = bytearray(json.dumps(infer_body(2)).encode())
    body[position % len(body)] = byte
    _check(real_client.post("/v2/models/m/infer", content=bytes(body)))
