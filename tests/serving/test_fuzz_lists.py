"""Whatever is sent to a model with list features: it is refused or scored, and both calls agree."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving.responding import respond

from hotrow.artifact import load_artifact
from hotrow.data.keys import MAX_INTEGER, MIN_INTEGER
from hotrow.errors import RequestError
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.messages import Body

ITEM = st.integers(MIN_INTEGER, MAX_INTEGER) | st.integers(0, 40)
WORD = st.sampled_from(["Drama", "War", "none such"]) | st.text("abc |\t", min_size=1, max_size=4)
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
NESTED = ANYTHING | st.lists(ANYTHING | st.lists(ANYTHING, max_size=2), max_size=5)
TENSORS = {
    "list.history": st.sampled_from(["INT64", "BYTES", "FP32"]),
    "lengths.history": st.sampled_from(["INT32", "INT64", "BYTES"]),
    "list.genres": st.just("BYTES"),
    "lengths.genres": st.just("INT64"),
    "categorical": st.just("BYTES"),
}
SHAPE = st.lists(st.integers(-1, 9) | st.integers(), max_size=2)
REPEATEDLY = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def service(movielens_run: Path) -> RankingService:
    return RankingService("films", load_artifact(movielens_run), Limits(max_rows=8))


@REPEATEDLY
@given(
    histories=st.lists(st.lists(ITEM, max_size=15), min_size=1, max_size=6),
    genres=st.lists(st.lists(WORD, max_size=3), min_size=6, max_size=6),
)
def test_both_calls_give_correct_rows_the_same_scores(
    service: RankingService, histories: list[list[int]], genres: list[list[str]]
) -> None:
    genres = genres[: len(histories)]
    width = len(service.info.metadata().parameters["categorical_columns"].split(","))
    rows = [{"history": items, "genres": words} for items, words in zip(histories, genres, strict=True)]
    flat: dict[str, tuple[str, list[Any]]] = {
        "list.history": ("INT64", list(chain(*histories))),
        "lengths.history": ("INT64", [len(items) for items in histories]),
        "list.genres": ("BYTES", list(chain(*genres))),
        "lengths.genres": ("INT32", [len(words) for words in genres]),
    }
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(data)], "data": data}
        for name, (kind, data) in flat.items()
    ]
    missing = [None] * (width * len(rows))
    inputs.append({"name": "categorical", "datatype": "BYTES", "shape": [len(rows), width], "data": missing})
    inferred = _respond(service, {"inputs": inputs}, Body.INFER)["outputs"][0]["data"]
    ranked = _respond(service, {"candidates": rows}, Body.RANK)["ranking"]
    assert {entry["index"]: entry["score"] for entry in ranked} == dict(enumerate(inferred))
    assert all(0 <= score <= 1 for score in inferred)


@REPEATEDLY
@given(data=st.data())
def test_tensors_of_any_shape(service: RankingService, data: st.DataObject) -> None:
    inputs = [
        {
            "name": name,
            "datatype": data.draw(kinds),
            "shape": data.draw(SHAPE),
            "data": data.draw(st.lists(ITEM | WORD, max_size=6) | NESTED),
        }
        for name, kinds in TENSORS.items()
    ]
    _answered_or_refused(lambda: _respond(service, {"inputs": inputs}, Body.INFER))


@REPEATEDLY
@given(context=st.dictionaries(st.sampled_from(["history", "genres", "user"]), NESTED), value=NESTED)
def test_lists_of_anything(service: RankingService, context: dict[str, Any], value: object) -> None:
    body = {"context": context, "candidates": [{}, {"item": value}]}
    _answered_or_refused(lambda: _respond(service, body, Body.RANK))


def _respond(service: RankingService, body: object, call: Body) -> Any:
    return respond(service, json.dumps(body).encode("utf-8", "surrogatepass"), call)


def _answered_or_refused(call: Any) -> None:
    try:
        answer = call()
    except RequestError:
        return
    assert answer.keys() & {"outputs", "ranking"}
