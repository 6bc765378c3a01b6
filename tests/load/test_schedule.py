from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow.errors import ConfigError
from hotrow.load.schedule import LoadConfig, make_schedule


def test_a_schedule_is_a_function_of_its_configuration() -> None:
    config = LoadConfig(qps=200, seconds=2, warmup_seconds=1, sizes="heavy", shape="bursts:3,1,1", seed=3)
    one, two = make_schedule(config), make_schedule(config)
    np.testing.assert_array_equal(one.arrivals_s, two.arrivals_s)
    np.testing.assert_array_equal(one.sizes, two.sizes)
    assert (one.seconds, one.warmup_seconds) == (3, 1)
    assert len(one) == len(one.sizes)
    other = make_schedule(LoadConfig(qps=200, seconds=2, warmup_seconds=1, sizes="heavy", seed=4))
    assert one.sizes[:50].tolist() != other.sizes[:50].tolist()


def test_sizes_do_not_depend_on_the_rate() -> None:
    slow = make_schedule(LoadConfig(qps=50, seconds=2, seed=1))
    fast = make_schedule(LoadConfig(qps=100, seconds=2, seed=1))
    assert fast.sizes[: len(slow)].tolist() == slow.sizes.tolist()


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_are_the_whole(parts: int) -> None:
    whole = make_schedule(LoadConfig(qps=100, seconds=1, shape="diurnal:1,1"))
    pieces = [whole.part(index, parts) for index in range(parts)]
    assert sum(map(len, pieces)) == len(whole)
    found = sorted(
        (piece.number(at), piece.arrivals_s[at], piece.sizes[at])
        for piece in pieces
        for at in range(len(piece))
    )
    assert found == list(zip(range(len(whole)), whole.arrivals_s, whole.sizes, strict=True))
    assert {piece.seconds for piece in pieces} == {1}


def test_a_part_of_a_part_keeps_its_numbers() -> None:
    whole = make_schedule(LoadConfig(qps=100, seconds=1, arrivals="uniform"))
    piece = whole.part(1, 2).part(2, 3)
    assert [piece.number(at) for at in range(3)] == [5, 11, 17]
    np.testing.assert_array_equal(piece.arrivals_s, whole.arrivals_s[5::6])


def test_a_trace_has_its_own_times(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("5,10\n5.5,20\n7,30\n9,40\n")
    sizes = f"trace:{tmp_path / 't'}"
    own = make_schedule(LoadConfig(arrivals="trace", sizes=sizes, seconds=3))
    assert own.arrivals_s.tolist() == [0, 0.5, 2]
    assert own.sizes.tolist() == [10, 20, 30]
    stretched = make_schedule(LoadConfig(qps=3, arrivals="trace", sizes=sizes, seconds=3))
    assert stretched.arrivals_s.tolist() == [0, 0.125, 0.5, 1]
    assert own.seconds == 3
    assert stretched.seconds == pytest.approx(4 / 3), "four queries at 3 a second"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "--qps: missing, expected a rate"),
        ({"qps": 0}, "--qps: got 0, expected more than 0"),
        ({"qps": float("nan")}, "--qps: got nan"),
        ({"qps": 1e7}, "--qps"),
        ({"qps": 1e6, "seconds": 3600}, "at most 20,000,000 queries in 3600 seconds"),
        ({"qps": 1, "seconds": 0}, "--seconds: got 0, expected more than 0 and at most 3600"),
        ({"qps": 1, "seconds": 3601}, "--seconds"),
        ({"qps": 1, "warmup_seconds": -1}, "--warmup-s"),
        ({"qps": 1, "seed": -1}, "--seed"),
        ({"qps": 0.001, "seconds": 0.001}, "--seconds: got 0.001, expected long enough for one query"),
        ({"qps": 1, "arrivals": "uniform", "shape": "diurnal:1,1"}, "constant with uniform arrivals"),
        ({"arrivals": "trace"}, "--arrivals: got 'trace', expected --sizes trace:FILE"),
    ],
)
def test_mistakes_are_told(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_schedule(LoadConfig(**fields))


def test_traces_that_cannot_be_stretched(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("5,10\n5,20\n")
    with pytest.raises(ConfigError, match="arrive at once"):
        make_schedule(LoadConfig(qps=3, arrivals="trace", sizes=f"trace:{tmp_path / 't'}"))
    (tmp_path / "s").write_text("10\n")
    with pytest.raises(ConfigError, match="ARRIVAL,SIZE"):
        make_schedule(LoadConfig(arrivals="trace", sizes=f"trace:{tmp_path / 's'}"))
