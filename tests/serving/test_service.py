"""A model with list features behind the service, without sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.serving.responding import respond

from hotrow.artifact import Artifact, load_artifact
from hotrow.data.raw import EncodedBlock, RawBlock
from hotrow.errors import RequestError
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.messages import Body


@pytest.fixture(scope="module")
def artifact(movielens_run: Path) -> Artifact:
    return load_artifact(movielens_run)


@pytest.fixture
def service(artifact: Artifact) -> RankingService:
    return RankingService("films", artifact, Limits())


def _rank(service: RankingService, body: bytes) -> Any:
    return respond(service, body, Body.RANK)


def _infer(service: RankingService, body: bytes) -> Any:
    return respond(service, body, Body.INFER)


def test_lists_may_come_with_the_context_and_with_candidates(
    service: RankingService, artifact: Artifact
) -> None:
    context: dict[str, Any] = {"user": 3, "gender": "F", "history": [1, 2, 3]}
    candidates: list[dict[str, Any]] = [{"item": 7, "genres": ["War"]}, {"item": 8}, {"item": "9"}]
    body = json.dumps({"context": context, "candidates": candidates}).encode()
    ranking = _rank(service, body)["ranking"]
    scores = artifact.score(artifact.block([context | candidate for candidate in candidates]))
    assert {row["index"]: row["score"] for row in ranking} == dict(enumerate(scores.tolist()))
    other = json.dumps({"context": context | {"history": [9]}, "candidates": candidates}).encode()
    assert {row["score"] for row in _rank(service, other)["ranking"]}.isdisjoint(scores.tolist())


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (
            {"history": [1, "x"]},
            r"candidates\[1\], column history: found 'x' in it, expected a whole number of 64 bits",
        ),
        ({"history": 1}, r"candidates\[1\], column history: found 1, expected a list or null"),
        ({"history": [1, None]}, r"Expected `int \| float \| str`, got `null`"),
        ({"tags": [1]}, r"candidates\[1\]: unknown feature 'tags'"),
    ],
)
def test_a_bad_list_is_told(service: RankingService, candidate: dict[str, Any], message: str) -> None:
    body = json.dumps({"candidates": [{"item": 7}, candidate]}).encode()
    with pytest.raises(RequestError, match=message):
        _rank(service, body)


HISTORIES: list[list[Any]] = [[1, 2, 3], [], [9]]
GENRES = [["War"], ["War", "Drama"], []]


def _infer_body(service: RankingService) -> dict[str, Any]:
    """Return three rows as tensors: only users, items, histories and genres are given."""
    columns = service.info.metadata().parameters["categorical_columns"].split(",")
    row = {"user": "3", "item": "7"}
    inputs = [
        ("categorical", "BYTES", [3, len(columns)], [[row.get(name) for name in columns]] * 3),
        ("list.history", "INT64", [4], [1, 2, 3, 9]),
        ("lengths.history", "INT32", [3], [3, 0, 1]),
        ("list.genres", "BYTES", [3], ["War", "War", "Drama"]),
        ("lengths.genres", "INT64", [3], [1, 2, 0]),
    ]
    dense = service.info.metadata().parameters["dense_columns"]
    if dense:
        width = len(dense.split(","))
        inputs.append(("dense", "FP32", [3, width], [[None] * width] * 3))
    keys = ("name", "datatype", "shape", "data")
    return {"inputs": [dict(zip(keys, entry, strict=True)) for entry in inputs]}


def test_tensors_carry_lists_as_values_and_lengths(service: RankingService, artifact: Artifact) -> None:
    answer = _infer(service, json.dumps(_infer_body(service)).encode())
    rows = [
        {"user": 3, "item": 7, "history": history, "genres": genres}
        for history, genres in zip(HISTORIES, GENRES, strict=True)
    ]
    assert answer["outputs"][0]["data"] == artifact.score(artifact.block(rows)).tolist()
    assert len({*answer["outputs"][0]["data"]}) == 3


def test_metadata_lists_the_tensors(service: RankingService) -> None:
    shapes = {tensor.name: (tensor.datatype, tensor.shape) for tensor in service.info.metadata().inputs}
    assert shapes["list.history"] == ("BYTES", [-1])
    assert shapes["lengths.history"] == ("INT64", [-1])
    assert {"list.genres", "lengths.genres", "categorical"} <= shapes.keys()


def _named(body: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(tensor for tensor in body["inputs"] if tensor["name"] == name)
    return found


BAD_LISTS = {
    "no lengths": (
        lambda b: b["inputs"].remove(_named(b, "lengths.history")),
        "'lengths.history' is missing",
    ),
    "no values": (lambda b: b["inputs"].remove(_named(b, "list.genres")), "input 'list.genres' is missing"),
    "long": (
        lambda b: _named(b, "list.history").update(shape=[2**63 - 1]),
        "expected [values of all rows] of at most 16777216",
    ),
    "longer": (lambda b: _named(b, "list.history").update(shape=[2**64]), "shape[0]"),
    "longest": (lambda b: _named(b, "list.history").update(shape=[10**4299]), "request body"),
    "sum": (lambda b: _named(b, "lengths.history").update(data=[3, 0, 2]), "its sum is 5, expected 4"),
    "negative": (
        lambda b: _named(b, "lengths.history").update(data=[5, -2, 1]),
        "whole numbers of at least 0",
    ),
    "null": (lambda b: _named(b, "lengths.history").update(data=[3, None, 1]), "whole numbers of at least 0"),
    "rows": (lambda b: _named(b, "lengths.history").update(shape=[2], data=[3, 1]), "number of rows: 3 cat"),
    "shape": (lambda b: _named(b, "list.history").update(shape=[2, 2]), "expected [values of all rows]"),
    "negative shape": (
        lambda b: _named(b, "list.history").update(shape=[-4]),
        "expected [values of all rows]",
    ),
    "shape of lengths": (lambda b: _named(b, "lengths.history").update(shape=[3, 1]), "expected [rows]"),
    "nested": (lambda b: _named(b, "list.history").update(data=[[1, 2], [3, 9]]), "got `array`"),
    "datatype": (lambda b: _named(b, "list.history").update(datatype="FP32"), "expected BYTES or INT64"),
    "datatype of lengths": (lambda b: _named(b, "lengths.genres").update(datatype="BYTES"), "INT32 or INT64"),
    "value": (
        lambda b: _named(b, "list.history").update(datatype="BYTES", data=["1", "2", "3", "x"]),
        "rows[2], column history: found 'x' in it",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD_LISTS.values(), ids=BAD_LISTS.keys())
def test_bad_tensors_of_lists_are_told(
    service: RankingService, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    body = _infer_body(service)
    change(body)
    with pytest.raises(RequestError, match=re.escape(message)):
        _infer(service, json.dumps(body).encode())


def test_it_warms_up(service: RankingService) -> None:
    service.warm_up()


class _TwoTasks:
    """Scores a row by the length of its history, and by twice that."""

    tasks = ("click", "buy")

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self.schema = artifact.schema

    def block(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        return self._artifact.block(rows)

    def encode(self, block: RawBlock) -> EncodedBlock:
        return self._artifact.encode(block)

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        lengths = block.lists[0].lengths
        return (np.stack([lengths, 2 * lengths], axis=1) / 8).astype(np.float32)


def test_all_tasks_are_answered(artifact: Artifact) -> None:
    service = RankingService("two", _TwoTasks(artifact), Limits())
    body = json.dumps({"candidates": [{"history": [1]}, {"history": [1, 2]}], "top_k": 1}).encode()
    assert _rank(service, body)["ranking"] == [
        {"index": 1, "score": 0.25, "tasks": {"click": 0.25, "buy": 0.5}}
    ]
    request = _infer_body(service)
    outputs = _infer(service, json.dumps(request).encode())["outputs"]
    assert [(output["name"], output["shape"]) for output in outputs] == [("score", [3]), ("tasks", [3, 2])]
    assert outputs[1]["data"] == [0.375, 0.75, 0.0, 0.0, 0.125, 0.25]
    request["outputs"] = [{"name": "tasks"}]
    outputs = _infer(service, json.dumps(request).encode())["outputs"]
    assert [output["name"] for output in outputs] == ["tasks"]
    metadata = service.info.metadata()
    assert [(output.name, output.shape) for output in metadata.outputs] == [
        ("score", [-1]),
        ("tasks", [-1, 2]),
    ]
    assert metadata.parameters["task_columns"] == "click,buy"
    assert _rank(service, json.dumps({"candidates": []}).encode())["ranking"] == []


@pytest.mark.parametrize(("candidates", "allowed"), [(3, True), (4, False)])
def test_ids_of_lists_are_bounded_over_all_rows(artifact: Artifact, candidates: int, allowed: bool) -> None:
    length = artifact.schema.lists[0].max_length
    service = RankingService("films", artifact, Limits(max_listed_ids=3 * length))
    context = {"history": list(range(length + 7))}
    body = json.dumps({"context": context, "candidates": [{}] * candidates}).encode()
    if allowed:
        assert len(_rank(service, body)["ranking"]) == candidates
        return
    expected = f"candidates: {4 * length} ids in lists of all rows together, at most {3 * length} are allowed"
    with pytest.raises(RequestError, match=expected):
        _rank(service, body)


def test_a_shared_history_is_read_once(artifact: Artifact) -> None:
    history = list(range(200))
    (shared, _) = artifact.block([{"item": item, "history": history} for item in range(50)]).lists
    assert shared.keys.size == 200
    assert (shared.starts.tolist(), shared.lengths.tolist()) == ([0] * 50, [200] * 50)
