from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.errors import ConfigError
from hotrow.units import format_bytes, format_count, parse_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1024", 1024),
        ("256MiB", 256 << 20),
        ("4 GiB", 4 << 30),
        ("1.5gb", 1_500_000_000),
        ("2kB", 2000),
    ],
)
def test_reads_sizes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "-1MiB", "4XB", "1e9", "4 GiB 2"])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match="device_memory"):
        parse_bytes(text, field="device_memory")


@given(st.integers(0, 1 << 50))
def test_written_sizes_read_back_closely(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=0.06, abs=1)


def test_counts_carry_a_suffix() -> None:
    assert [format_count(n) for n in (7, 1500, 39_300_000)] == ["7", "1.5k", "39.3M"]
