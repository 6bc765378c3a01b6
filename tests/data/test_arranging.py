"""Rows in the order of their splits, against splitting them in memory."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data import _arranging
from hotrow.data._arranging import arrange
from hotrow.data.schema import CategoricalFeature, Schema
from hotrow.data.splits import RuleKind, SplitRule
from hotrow.data.stage import Stage, StageBlock, StageWriter
from hotrow.errors import DataError

SCHEMA = Schema(
    format="x", label="y", dense=(), categorical=(CategoricalFeature(name="c", rows=2, key_type="integer"),)
)


def stage_of(folder: Path, order: list[int]) -> Stage:
    """Stage rows whose keys are their numbers."""
    count = len(order)
    folder.mkdir(parents=True)
    with StageWriter(folder, SCHEMA, ordered=True) as writer:
        writer.append(
            StageBlock(
                np.empty((count, 0), np.float32),
                np.zeros(count, np.uint8),
                (np.arange(count, dtype=np.uint64),),
                np.zeros((1, count), np.bool_),
                order=np.array(order, dtype=np.uint64),
            )
        )
    return Stage(folder, SCHEMA, rows=count)


def splits_of(folder: Path, order: list[int], rule: SplitRule) -> dict[str, list[int]]:
    """Return the numbers of the rows of each split."""
    stage, ranges = arrange(
        stage_of(folder / "stage", order), rule, folder, folder / "out", show_progress=False
    )
    return {name: stage.keys(0, rows.start, rows.stop).tolist() for name, rows in ranges.items()}


@given(
    order=st.lists(st.integers(0, 9) | st.integers(0, 2**64 - 1), min_size=12, max_size=80),
    valid=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
)
def test_times_are_split_as_sorting_does(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], valid: float, test: float
) -> None:
    found = splits_of(tmp_path_factory.mktemp("time"), order, SplitRule(by="time", valid=valid, test=test))
    by_time = sorted(range(len(order)), key=lambda row: order[row])
    sizes = [round(len(order) * valid), round(len(order) * test)]
    first = len(order) - sum(sizes)
    expected = [by_time[:first], by_time[first : first + sizes[0]], by_time[first + sizes[0] :]]
    assert list(found.values()) == [sorted(rows) for rows in expected]


@pytest.mark.parametrize("by", ["time", "random", "group", "column"])
def test_small_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: RuleKind) -> None:
    rng = np.random.default_rng(0)
    order = rng.integers(0, 3 if by == "column" else 25, 300).tolist()
    found = []
    for size in (7, 64, 1 << 15):
        monkeypatch.setattr(_arranging, "_ROWS_AT_ONCE", size)
        found.append(splits_of(tmp_path / f"{by}{size}", order, SplitRule(by=by, seed=3)))
    assert found[0] == found[1] == found[2]
    assert sorted(row for rows in found[0].values() for row in rows) == list(range(300))
    assert all(rows == sorted(rows) for rows in found[0].values())


def test_random_shares_are_exact_and_depend_on_the_seed(tmp_path: Path) -> None:
    rules = [SplitRule(by="random", valid=0.25, test=0.15, seed=seed) for seed in (0, 0, 1)]
    found = [splits_of(tmp_path / str(at), [0] * 200, rule) for at, rule in enumerate(rules)]
    assert [len(rows) for rows in found[0].values()] == [120, 50, 30]
    assert found[0] == found[1] != found[2]


def test_groups_stay_whole(tmp_path: Path) -> None:
    order = [row % 40 for row in range(1000)]
    found = splits_of(tmp_path, order, SplitRule(by="group", valid=0.2, test=0.2, seed=1))
    groups = {name: {order[row] for row in rows} for name, rows in found.items()}
    assert sum(map(len, groups.values())) == 40
    assert {name: len(rows) for name, rows in found.items()} == {"train": 600, "valid": 200, "test": 200}
    other = splits_of(tmp_path / "b", order, SplitRule(by="group", valid=0.2, test=0.2, seed=2))
    assert other != found


def test_a_column_says_it(tmp_path: Path) -> None:
    order = [2, 0, 1, 0, 2, 1, 0]
    expected = {"train": [1, 3, 6], "valid": [2, 5], "test": [0, 4]}
    assert splits_of(tmp_path, order, SplitRule(by="column")) == expected


def test_rows_in_order_are_not_written_again(tmp_path: Path) -> None:
    stage = stage_of(tmp_path / "stage", list(range(100)))
    found, ranges = arrange(stage, SplitRule(by="time"), tmp_path, tmp_path / "out", show_progress=False)
    assert found is stage
    assert [len(rows) for rows in ranges.values()] == [80, 10, 10]
    rows = arrange(stage, SplitRule(by="rows", valid=0.3), tmp_path, tmp_path / "out", show_progress=False)
    assert [len(each) for each in rows[1].values()] == [60, 30, 10]


def test_rows_written_again_leave_no_stage_behind(tmp_path: Path) -> None:
    stage = stage_of(tmp_path / "stage", list(range(100))[::-1])
    found, _ = arrange(stage, SplitRule(by="time"), tmp_path, tmp_path / "out", show_progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["arranged"]
    found.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("by", "order", "message"),
    [
        ("random", [0] * 4, "4 accepted rows split by random leave none for the valid split"),
        ("rows", [0] * 4, "4 accepted rows split by rows leave none for the valid split"),
        ("column", [0, 0, 1], "3 accepted rows split by column leave none for the test split"),
        ("group", [7] * 50, "50 accepted rows split by group leave none for the train split"),
    ],
)
def test_a_split_without_rows_is_refused(
    tmp_path: Path, by: RuleKind, order: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        splits_of(tmp_path, order, SplitRule(by=by))
