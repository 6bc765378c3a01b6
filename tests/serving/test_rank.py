from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotrow.serving.ranking import ranking

PATH = "/v1/rank"


def test_best_first_and_equal_scores_in_their_order(client: Any) -> None:
    candidates = [{"I1": 10}, {"I1": 30}, {"I1": 10}, {"I1": 20}]
    answer = client.post(PATH, {"candidates": candidates, "id": "q"})
    assert answer.status_code == 200
    assert answer.json()["model"] == "sums"
    assert answer.json()["id"] == "q"
    assert [entry["index"] for entry in answer.json()["ranking"]] == [1, 3, 0, 2]
    assert answer.json()["ranking"][0]["score"] == float(np.float32(0.3))


def test_top_k(client: Any) -> None:
    body = {"candidates": [{"I1": n} for n in (1, 5, 3)], "top_k": 2}
    assert [entry["index"] for entry in client.post(PATH, body).json()["ranking"]] == [1, 2]
    assert len(client.post(PATH, body | {"top_k": 50}).json()["ranking"]) == 3


def test_the_context_is_shared(client: Any, scorer: Any) -> None:
    context = {"I2": 7, "C1": "0000000a"}
    client.post(PATH, {"context": context, "candidates": [{"I1": 1}, {"C2": "b", "I3": None}]})
    block = scorer.blocks[-1]
    assert block.dense[:, 1].tolist() == [7, 7]
    assert block.keys[0].tolist() == [10, 10]
    assert block.keys[1, 1] == 11
    assert np.isnan(block.dense[1, 2])


def test_no_candidates_give_an_empty_ranking(client: Any) -> None:
    assert client.post(PATH, {"candidates": []}).json() == {"model": "sums", "ranking": []}


BAD = {
    "no candidates": ({}, "missing required field `candidates`"),
    "unknown in candidate": ({"candidates": [{}, {"I77": 1}]}, "candidates[1]: unknown feature 'I77'"),
    "unknown in context": ({"context": {"user": 1}, "candidates": [{}]}, "context: unknown feature 'user'"),
    "label": ({"candidates": [{"label": 1}]}, "unknown feature 'label'"),
    "both": ({"context": {"I1": 1}, "candidates": [{"I1": 2}]}, "feature 'I1' is given in the context too"),
    "bad id": ({"candidates": [{}, {"C3": "no"}]}, "candidates[1], column C3: found 'no'"),
    "number as id": ({"candidates": [{"C3": 5}]}, "candidates[0], column C3: found 5"),
    "text as number": ({"candidates": [{"I3": "5"}]}, "candidates[0], column I3: found '5'"),
    "half": ({"candidates": [{"I3": 0.5}]}, "candidates[0], column I3: found 0.5"),
    "huge": ({"candidates": [{"I3": 10**40}]}, "candidates[0], column I3"),
    "bool": ({"candidates": [{"I3": True}]}, "got `bool`"),
    "list": ({"candidates": [{"C3": ["a"]}]}, "candidates[0], column C3: found ['a']"),
    "list of lists": ({"candidates": [{"C3": [["a"]]}]}, "got `array`"),
    "top_k": ({"candidates": [{}], "top_k": 0}, "top_k"),
    "unknown field": ({"candidates": [{}], "k": 1}, "unknown field `k`"),
    "too many": ({"candidates": [{}] * 65}, "65 given, at most 64 are allowed"),
}


@pytest.mark.parametrize(("body", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_told_what_is_wrong(client: Any, body: dict[str, Any], message: str) -> None:
    answer = client.post(PATH, body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_quoted_request_is_shortened(client: Any) -> None:
    answer = client.post(PATH, {"candidates": [{"x" * 5000: 1}]})
    assert answer.status_code == 400
    assert len(answer.json()["error"]) < 600


def test_ranking_is_stable_for_any_size() -> None:
    scores = np.random.default_rng(0).integers(0, 4, 500).astype(np.float32)
    found = [entry.index for entry in ranking(scores[:, None], ["label"], None)]
    assert found == sorted(range(500), key=lambda index: (-scores[index], index))
    assert [entry.index for entry in ranking(scores[:, None], ["label"], 7)] == found[:7]


def test_several_tasks_are_ranked_by_the_first() -> None:
    scores = np.array([[0.25, 0.5], [0.75, 0.125], [0.25, 1.0]], dtype=np.float32)
    found = ranking(scores, ["click", "buy"], 2)
    assert [(entry.index, entry.score, entry.tasks) for entry in found] == [
        (1, 0.75, {"click": 0.75, "buy": 0.125}),
        (0, 0.25, {"click": 0.25, "buy": 0.5}),
    ]
