"""What an HTTP answer says of a query, checked: an answer without a score for every candidate has failed."""

from __future__ import annotations

import msgspec

from hotrow.load.http.connection import Answer
from hotrow.load.query import Status

_STATUSES = {429: Status.SHED, 503: Status.SHED, 504: Status.EXPIRED}
_SHOWN = 300


class BadAnswerError(Exception):
    """An answer that makes its query a failed one; the text says what was wrong."""


class _Output(msgspec.Struct):
    name: str
    shape: list[int]


class _Inference(msgspec.Struct):
    outputs: list[_Output]


class _Ranked(msgspec.Struct):
    index: int


class _Ranking(msgspec.Struct):
    ranking: list[_Ranked]


class _Error(msgspec.Struct):
    error: str


_INFERENCE = msgspec.json.Decoder(_Inference)
_RANKING = msgspec.json.Decoder(_Ranking)
_ERROR = msgspec.json.Decoder(_Error)


def judge(answer: Answer, rows: int, *, is_ranking: bool) -> Status:
    """Return what became of a query of ``rows`` candidates.

    Raises:
        BadAnswerError: it failed.
    """
    if not 200 <= answer.status < 300:
        status = _STATUSES.get(answer.status)
        if status is None:
            raise BadAnswerError(f"HTTP {answer.status}: {error_text(answer)}")
        return status
    try:
        found = _count(answer, is_ranking=is_ranking)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswerError(f"the answer cannot be read: {error}") from error
    if found != rows:
        raise BadAnswerError(f"the answer has {found} scores, expected {rows}")
    return Status.OK


def error_text(answer: Answer) -> str:
    """Return the message of an answer that is an error."""
    try:
        text = _ERROR.decode(answer.body).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = answer.body[:_SHOWN].decode(errors="replace")
    return " ".join(text.split())[:_SHOWN]


def _count(answer: Answer, *, is_ranking: bool) -> int:
    if is_ranking:
        return len(_RANKING.decode(answer.body).ranking)
    outputs = _INFERENCE.decode(answer.body[: answer.header_length]).outputs
    if not outputs or not outputs[0].shape:
        raise msgspec.ValidationError("no output with a shape")
    return outputs[0].shape[0]
