from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.formats._times import read_datetimes, time_order

TIMES = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1))


@given(st.lists(TIMES, min_size=1, max_size=9))
def test_times_are_microseconds(times: list[datetime.datetime]) -> None:
    expected = np.array(times, dtype="datetime64[us]").astype(np.int64)
    assert read_datetimes([str(time) for time in times]).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01 02:00:00+02:00", 0),
        ("1970-01-01 00:00:00.5", 0.5),
    ],
)
def test_iso_8601(text: str, seconds: float) -> None:
    assert read_datetimes([text]).tolist() == [seconds * 1e6]


@pytest.mark.parametrize("text", ["", "yesterday", "2024-02-30", "1700000000", None, 5])
def test_what_is_no_time(text: object) -> None:
    assert np.isnan(read_datetimes(["1970-01-01", text])).tolist() == [False, True]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_the_order_of_numbers(times: list[float]) -> None:
    order = time_order(np.array(times)).tolist()
    for at, time in enumerate(times):
        for other, later in enumerate(times):
            assert (order[at] < order[other]) == (time < later)
            assert (order[at] == order[other]) == (time == later)
