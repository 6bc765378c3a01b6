"""A model with list features behind the service, without sockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotrow.artifact import Artifact, load_artifact
from hotrow.errors import RequestError
from hotrow.serving import Limits, RankingService


@pytest.fixture(scope="module")
def artifact(movielens_run: Path) -> Artifact:
    return load_artifact(movielens_run)


@pytest.fixture
def service(artifact: Artifact) -> RankingService:
    return RankingService("films", artifact, Limits())


def test_lists_may_come_with_the_context_and_with_candidates(
    service: RankingService, artifact: Artifact
) -> None:
    context: dict[str, Any] = {"user": 3, "gender": "F", "history": [1, 2, 3]}
    candidates: list[dict[str, Any]] = [{"item": 7, "genres": ["War"]}, {"item": 8}, {"item": "9"}]
    body = json.dumps({"context": context, "candidates": candidates}).encode()
    ranking = json.loads(service.rank(body))["ranking"]
    scores = artifact.score(artifact.block([context | candidate for candidate in candidates]))
    assert {row["index"]: row["score"] for row in ranking} == dict(enumerate(scores.tolist()))
    other = json.dumps({"context": context | {"history": [9]}, "candidates": candidates}).encode()
    assert {row["score"] for row in json.loads(service.rank(other))["ranking"]}.isdisjoint(scores.tolist())


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"history": [1, "x"]}, r"candidates\[1\], column history: found 'x' in it, expected a list of"),
        ({"history": 1}, r"candidates\[1\], column history: found 1, expected a list or null"),
        ({"history": [1, None]}, r"Expected `int \| float \| str`, got `null`"),
        ({"tags": [1]}, r"candidates\[1\]: unknown feature 'tags'"),
    ],
)
def test_a_bad_list_is_told(service: RankingService, candidate: dict[str, Any], message: str) -> None:
    body = json.dumps({"candidates": [{"item": 7}, candidate]}).encode()
    with pytest.raises(RequestError, match=message):
        service.rank(body)


def test_tensors_cannot_carry_lists(service: RankingService) -> None:
    body = json.dumps({"inputs": []}).encode()
    with pytest.raises(RequestError, match=r"list features \(history, genres\).* send rows to /v1/rank"):
        service.infer(body)


def test_it_warms_up(service: RankingService) -> None:
    service.warm_up()
