from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.data.formats.movielens._ratings import read_ratings
from hotrow.errors import DataError


def test_an_atomic_file_without_times_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.inter"
    path.write_text("item_id:token\trating:float\tuser_id:token\n5\t4.5\t6\n5\t3.5\t7\n")
    found, _ = read_ratings(path, "atomic.inter", like_at=4)
    assert found.times is None
    assert (found.users.tolist(), found.items.tolist(), found.liked.tolist()) == (
        [6, 7],
        [5, 5],
        [True, False],
    )


def test_an_atomic_file_without_ratings(tmp_path: Path) -> None:
    path = tmp_path / "a.inter"
    path.write_text("user_id:token\titem_id:token\n5\t4\n")
    with pytest.raises(DataError, match=r"a.inter, line 1: has no column rating:float"):
        read_ratings(path, "atomic.inter", like_at=4)


def test_a_like_is_0_or_1(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user_id,movie_id,like\n1,2,1\n1,3,2\n1,4,0\n")
    found, columns = read_ratings(path, "likes.csv", like_at=4)
    assert (found.items.tolist(), found.liked.tolist()) == ([2, 4], [True, False])
    assert [(row.line, row.column, row.detail) for row in columns.rejections()] == [
        (3, "like", "found '2', expected 0 or 1")
    ]
