"""Calls read in columns are those read row by row, and so are the mistakes in them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.columnar import ColumnarRows
from hotrow.errors import RequestError
from hotrow.serving import Limits, candidates
from hotrow.serving.candidates import CandidateReader
from hotrow.serving.protocol import RankRequest, decode
from hotrow.serving.ranking import candidate_rows

COLUMNS = ("I1", "C1", "history", "f0")
LIMITS = Limits(max_rows=4)
READER = CandidateReader(COLUMNS, LIMITS)

Rows = list[Mapping[str, Any]]


def by_row(body: bytes) -> tuple[Rows, int | None, str | None]:
    request = decode(msgspec.json.Decoder(RankRequest), body, where="request body")
    rows = candidate_rows(request, columns=COLUMNS, limits=LIMITS)
    return [{name: row.get(name) for name in COLUMNS} for row in rows], request.top_k, request.id


def read(body: bytes) -> tuple[Rows, int | None, str | None]:
    rows, options = READER.read(body)
    return [{name: row.get(name) for name in COLUMNS} for row in rows], options.top_k, options.id


def require_equal(body: bytes) -> None:
    assert _outcome(read, body) == _outcome(by_row, body)


def require_equal_or_too_many(body: bytes) -> None:
    count = len(json.loads(body)["candidates"])
    if count <= LIMITS.max_rows:
        require_equal(body)
    else:  # which is told before anything else
        assert _outcome(read, body) == f"candidates: {count} given, at most 4 are allowed"


def _outcome(reader: Callable[[bytes], object], body: bytes) -> object:
    try:
        return reader(body)
    except RequestError as error:
        return str(error)


VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.just([1, "a"]),
)
FEATURES = st.dictionaries(st.sampled_from(COLUMNS), VALUES)
ODD = st.dictionaries(
    st.sampled_from([*COLUMNS, "unknown", "context"]), st.one_of(VALUES, st.booleans(), st.just([[1]]))
)


def bodies(features: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    required = {"candidates": st.lists(features, max_size=5)}
    optional = {
        "context": features,
        "top_k": st.none() | st.integers(0, 3),
        "id": st.none() | st.text(max_size=3),
    }
    whole = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda body, plain: json.dumps(body, ensure_ascii=plain).encode(), whole, st.booleans())


@given(body=bodies(FEATURES))
def test_calls_are_read_as_by_row_unless_there_are_too_many(body: bytes) -> None:
    require_equal_or_too_many(body)


@given(body=bodies(ODD))
def test_mistakes_are_told_as_by_row_unless_there_are_too_many(body: bytes) -> None:
    require_equal_or_too_many(body)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (b"]}", r"^candidates: 50000 given, at most 4 are allowed$"),
        (b"", r"^request body: Input data was tr"),
    ],
)
def test_no_value_is_decoded_of_too_many(monkeypatch: pytest.MonkeyPatch, end: bytes, message: str) -> None:
    reader = CandidateReader(COLUMNS, LIMITS)
    monkeypatch.setattr(reader, "_alone", None)
    monkeypatch.setattr(candidates, "_BY_ROW", None)
    body = b'{"candidates": [%s' % b",".join([b'{"I1": 123456}'] * 50_000) + end
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match=message):
            reader.read(body)
        assert tracemalloc.get_traced_memory()[1] < 50_000 * 40
    finally:
        tracemalloc.stop()


def test_braces_in_values_are_no_candidates() -> None:
    require_equal(b'{"candidates": [{"C1": "{{{{{{{{"}]}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"candidates": [{"I1": 1}, {"C1": "a"}]}',
        b'{"context": {"I1": null, "history": [1, 2]}, "candidates": [{"C1": null}, {}, {"f0": 3}]}',
        b'{"candidates": [{"f0": "context"}], "top_k": 2}',
        b'{"candidates": []}',
        b'{"candidates": [{"I1": 1, "I1": 2}]}',
    ],
)
def test_what_is_right_is_read_in_columns(body: bytes) -> None:
    require_equal(body)
    assert isinstance(READER.read(body)[0], ColumnarRows)


@pytest.mark.parametrize(
    "body",
    [
        b'{"context": {"I1": null}, "candidates": [{"I1": 1}]}',
        b'{"context": {"I1": 1}, "candidates": [{}, {"I1": null}]}',
        b'{"\\u0063ontext": {"I1": 1}, "candidates": [{"I1": null}]}',
        b'{"\\u0063ontext": {"I1": 1}, "candidates": [{"C1": null}]}',
        b'{"candidates": [{}, {}, {}, {}, {}]}',
        b'{"candidates": ["\xff"]}',
        b'{"candidates": [{"I1": Infinity}]}',
        b"[" * 5000,
        b"",
    ],
)
def test_corner_cases(body: bytes) -> None:
    require_equal(body)


def test_the_candidates_of_a_context_share_its_lists() -> None:
    rows, _ = READER.read(b'{"context": {"history": [1, 2]}, "candidates": [{}, {}]}')
    first, second = (row["history"] for row in rows)
    assert first is second


@pytest.mark.parametrize("columns", [('a"b', "c"), ("a\\b",), ("a\nb",)])
def test_any_name_will_do(columns: Sequence[str]) -> None:
    reader = CandidateReader(columns, LIMITS)
    rows, _ = reader.read(json.dumps({"candidates": [{columns[0]: 5}]}).encode())
    assert [dict(row) for row in rows] == [{columns[0]: 5}]
