from __future__ import annotations

from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.splits import RuleKind, SplitRule, check_split, require_all, split_ranges
from hotrow.errors import ConfigError, DataError


def sizes(mode: Literal["auto", "rows", "files"], rows: list[int]) -> tuple[int, ...]:
    return tuple(len(found) for found in split_ranges(mode, rows, "out").values())


def test_rows_are_split_as_the_reference_splits_the_kaggle_log() -> None:
    assert sizes("rows", [45_840_617]) == (39_291_957, 3_274_330, 3_274_330)
    assert sizes("rows", [10_000]) == (8571, 714, 715)
    assert sizes("rows", [6000, 4000]) == (8571, 714, 715)


def test_the_last_day_is_halved() -> None:
    assert sizes("files", [100, 200, 31]) == (300, 15, 16)


def test_auto_looks_at_the_number_of_sources() -> None:
    assert sizes("auto", [10_000]) == sizes("rows", [10_000])
    assert sizes("auto", [100, 200, 30]) == sizes("files", [100, 200, 30])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.sampled_from(["auto", "rows", "files"]))
def test_splits_cover_all_rows_in_order_or_are_refused(
    rows: list[int], mode: Literal["auto", "rows", "files"]
) -> None:
    try:
        ranges = split_ranges(mode, rows, "out")
    except DataError:
        by_files = mode == "files" or (mode == "auto" and len(rows) > 1)
        assert sum(rows[:-1]) == 0 or rows[-1] < 2 if by_files else sum(rows) < 8
        return
    assert list(ranges) == ["train", "valid", "test"]
    assert [row for found in ranges.values() for row in found] == list(range(sum(rows)))
    assert all(len(found) > 0 for found in ranges.values())


def test_files_needs_two_sources() -> None:
    with pytest.raises(ConfigError, match="split: got 'files', expected two or more sources"):
        check_split("files", 1)
    check_split("files", 2)
    check_split("auto", 1)


def test_which_splits_need_a_column() -> None:
    ordered = {by: SplitRule(by=by).is_ordered for by in get_args(RuleKind)}
    assert ordered == {"rows": False, "random": False, "time": True, "group": True, "column": True}


def test_a_split_without_rows_is_named() -> None:
    require_all((1, 1, 1), "time", "out")
    with pytest.raises(DataError, match="out: 6 accepted rows split by time leave none for the test split"):
        require_all((5, 1, 0), "time", "out")
