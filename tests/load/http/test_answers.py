from __future__ import annotations

import json

import pytest

from hotrow.load.http.answers import BadAnswerError, judge
from hotrow.load.http.connection import Answer
from hotrow.load.query import Status

GOOD = json.dumps({"outputs": [{"name": "score", "shape": [3], "data": [1, 2, 3]}]}).encode()
RANKED = json.dumps({"ranking": [{"index": at, "score": 1.0} for at in range(3)]}).encode()


def test_good_answers() -> None:
    assert judge(Answer(200, GOOD, None), 3, is_ranking=False) is Status.OK
    assert judge(Answer(200, GOOD + b"\0" * 12, len(GOOD)), 3, is_ranking=False) is Status.OK
    assert judge(Answer(200, RANKED, None), 3, is_ranking=True) is Status.OK


@pytest.mark.parametrize(("code", "status"), [(503, Status.SHED), (429, Status.SHED), (504, Status.EXPIRED)])
def test_refusals_by_status(code: int, status: Status) -> None:
    assert judge(Answer(code, b"", None), 3, is_ranking=False) is status


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(400, b'{"error": "input dense:\\n bad"}', None), "HTTP 400: input dense: bad"),
        (Answer(500, b"<html>\xff" + b"x" * 999, None), "HTTP 500: <html>"),
        (Answer(302, b"", None), "HTTP 302: "),
        (Answer(200, GOOD[:-2], None), "the answer cannot be read: "),
        (Answer(200, b'{"outputs": []}', None), "the answer cannot be read: no output with a shape"),
        (Answer(200, b'{"outputs": [{"name": "s", "shape": []}]}', None), "no output with a shape"),
        (Answer(200, RANKED, None), "the answer cannot be read: "),
        (Answer(200, GOOD.replace(b"[3]", b"[2]"), None), "the answer has 2 scores, expected 3"),
    ],
)
def test_bad_answers(answer: Answer, message: str) -> None:
    with pytest.raises(BadAnswerError) as caught:
        judge(answer, 3, is_ranking=False)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_ranking_of_too_few() -> None:
    with pytest.raises(BadAnswerError, match="the answer has 3 scores, expected 4"):
        judge(Answer(200, RANKED, None), 4, is_ranking=True)
