from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hotrow.data.formats.movielens._side import read_items, read_users
from hotrow.data.keys import text_keys
from hotrow.data.raw import MISSING_KEY
from hotrow.errors import DataError


def test_latin_1_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "users.dat"
    path.write_bytes("7::F::1::fa\xe7on::x\r\n".encode("latin-1"))
    side, _ = read_users(path, "users.dat")
    assert side.texts["occupation"].tolist() == text_keys(["fa\xe7on"]).tolist()


def test_ids_are_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "users.dat"
    path.write_text("7::F::1::2::3\n3::M::4::5::6\n")
    side, _ = read_users(path, "users.dat")
    found = side.text_of("gender", np.array([3, 7, 5, 99, -1]))
    assert found.tolist() == [*text_keys(["M", "F"]).tolist(), *[int(MISSING_KEY)] * 3]


def test_an_atomic_file_may_have_other_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text("genre:token_seq\tprice:float\titem_id:token\nA B\t3\t5\n\t1\t4\n")
    side, _ = read_items(path, "atomic.item")
    assert side.ids.tolist() == [4, 5]
    assert side.texts == {}
    assert side.genres is not None
    assert side.genres.lengths.tolist() == [0, 2]
    assert side.genres.keys.tolist() == text_keys(["A", "B"]).tolist()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "item_id\tgenre:token_seq",
            r"x.item, line 1: found 'item_id', expected a header of name:type columns",
        ),
        ("item:token\tgenre:token_seq", r"x.item, line 1: has no column item_id:token in its header"),
    ],
)
def test_headers_that_do_not_do(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "x.item"
    path.write_text(f"{header}\n1\ta\n")
    with pytest.raises(DataError, match=message):
        read_items(path, "atomic.item")


def test_an_id_may_be_there_once(tmp_path: Path) -> None:
    path = tmp_path / "movies.dat"
    path.write_text("7::A (1990)::X\n8::B::Y\n7::C::Z\n")
    with pytest.raises(DataError, match=r"movies.dat, line 3, column item: item 7 is there twice"):
        read_items(path, "movies.dat")
