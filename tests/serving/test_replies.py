from __future__ import annotations

import pytest

from hotrow.errors import RequestError
from hotrow.serving.replies import deadline, header_bytes


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("250", 0.25), ("0.5", 0.0005), ("0", 0.0)])
def test_a_deadline_is_given_in_milliseconds(text: str | None, seconds: float | None) -> None:
    assert deadline(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "1e400", "5 s", "1_0"])
def test_what_is_no_deadline_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected milliseconds") as caught:
        deadline(text)
    assert str(caught.value).startswith(f"Deadline-Ms: {text!r}")
    assert caught.value.status == 400


@pytest.mark.parametrize(("text", "length"), [(None, None), ("0", 0), ("120", 120)])
def test_the_length_of_the_json_is_a_number(text: str | None, length: int | None) -> None:
    assert header_bytes(text) == length


@pytest.mark.parametrize("text", ["", "-1", "1.5", "12345678901", "x"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected a number of bytes"):
        header_bytes(text)
