from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.config import from_mapping
from hotrow.data.assemble import RawSplits
from hotrow.data.formats import find_format
from hotrow.data.formats.sequences import SequenceOptions, Sequences
from hotrow.data.keys import key_integers, text_keys
from hotrow.data.raw import RawBlock
from hotrow.errors import ConfigError, DataError

REAL = Path(__file__).parents[5] / "shared" / "data" / "seq-amazon"
Row = tuple[int, int, float, list[int]]


def read(*sources: Path, **options: Any) -> RawSplits:
    return Sequences().read(sources, SequenceOptions(**options))


def lists(block: RawBlock, feature: int) -> list[list[int]]:
    column = block.lists[feature]
    numbers = key_integers(column.keys)
    slices = zip(column.starts.tolist(), column.lengths.tolist(), strict=True)
    return [numbers[start : start + length].tolist() for start, length in slices]


def rows(splits: RawSplits, name: str) -> list[Row]:
    """Return user, item, label and history of each row."""
    block = splits.splits[name]
    assert block.labels is not None
    assert block.groups is not None
    users, items = key_integers(block.keys[0]).tolist(), key_integers(block.keys[1]).tolist()
    assert block.groups.tolist() == users
    return list(zip(users, items, block.labels.tolist(), lists(block, 0), strict=True))


def write_lines(path: Path, users: Sequence[Sequence[int]]) -> Path:
    path.write_text("".join(f"{user} {' '.join(map(str, items))}\n" for user, items in enumerate(users)))
    return path


@st.composite
def histories(draw: st.DrawFn) -> list[list[int]]:
    """Draw users' items such that every user has unseen ones, and the first has three targets or more."""
    items = st.integers(10, 30)
    others = draw(st.lists(st.lists(items, min_size=1, max_size=9), max_size=5))
    return [draw(st.lists(items, min_size=4, max_size=9)), *others, list(range(31, 40)), [1], [2], [3]]


@settings(max_examples=60)
@given(users=histories(), longest=st.integers(1, 12), per_user=st.none() | st.integers(1, 3))
def test_rows_are_targets_with_what_was_before_and_unseen_items(
    tmp_path_factory: pytest.TempPathFactory, users: list[list[int]], longest: int, per_user: int | None
) -> None:
    path = write_lines(tmp_path_factory.mktemp("sequences") / "log.txt", users)
    splits = read(path, max_history=longest, targets_per_user=per_user, negatives=2, eval_negatives=3)
    for name, each in (("train", 3), ("valid", 4), ("test", 4)):
        expected = []
        for user, items in enumerate(users):
            targets = range(1, len(items))
            judged = len(targets) >= 3
            if name == "train":
                chosen = targets[: -2 if judged else None]
                chosen = chosen if per_user is None else chosen[-per_user:]
            else:
                last = targets[-1 if name == "test" else -2] if judged else 0
                chosen = range(last, last + judged)
            expected += [(user, items[at], 1.0, items[:at][-longest:]) for at in chosen]
        found = rows(splits, name)
        assert found[::each] == expected
        for start in range(0, len(found), each):
            user, _, _, history = found[start]
            negatives = found[start + 1 : start + each]
            assert all((who, label, past) == (user, 0.0, history) for who, _, label, past in negatives)
            drawn = [item for _, item, _, _ in negatives]
            assert not set(drawn) & set(users[user])
            assert name == "train" or len(set(drawn)) == 3


@settings(max_examples=60)
@given(
    events=st.lists(st.tuples(st.integers(0, 2), st.integers(10, 30), st.integers(0, 5)), max_size=30),
    longest=st.integers(1, 8),
)
def test_no_history_holds_an_item_of_its_target_s_time_or_later(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int, int]], longest: int
) -> None:
    path = tmp_path_factory.mktemp("sequences") / "log.tsv"
    certain = [(9, item, item) for item in range(40, 48)] + [(8, item, 0) for item in range(50, 53)]
    path.write_text("".join(f"{u}\t{i}\t{t}\n" for u, i, t in [*events, *certain]))
    splits = read(path, max_history=longest, negatives=1, eval_negatives=2)
    found = [
        row for name, each in (("train", 2), ("valid", 3), ("test", 3)) for row in rows(splits, name)[::each]
    ]
    expected = []
    for user, item, time in [*events, *certain]:
        before = [(when, other) for who, other, when in [*events, *certain] if who == user and when < time]
        before.sort(key=lambda event: event[0])
        if before:
            expected.append((user, item, 1.0, [other for _, other in before][-longest:]))
    assert sorted(found) == sorted(expected)


def test_successive_histories_share_one_array(tmp_path: Path) -> None:
    splits = read(
        write_lines(tmp_path / "log", [list(range(100)), [200, 201]]), negatives=3, eval_negatives=1
    )
    arrays = {id(block.lists[0].keys) for block in splits.splits.values()}
    assert len(arrays) == 1
    assert len(splits.splits["train"].lists[0].keys) == 102
    assert len(splits.splits["train"]) == 4 * (97 + 1)


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "  \n"])
def test_separators_and_line_ends(tmp_path: Path, separator: str, end: str) -> None:
    path = tmp_path / "log"
    text = end.join(["7 1 2 3 4", "5 1 6  8 9".replace("  ", " "), "3 9 9"]).replace(" ", separator) + end
    path.write_bytes(text.encode())
    splits = read(path, layout="lines", eval_negatives=1)
    assert [row for row in rows(splits, "train") if row[2] == 1] == [
        (3, 9, 1.0, [9]),
        (5, 6, 1.0, [1]),
        (7, 2, 1.0, [1]),
    ]
    assert rows(splits, "test")[0] == (5, 9, 1.0, [1, 6, 8])


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("", "{user},{item},{time}"),
        ("user_id,item_id,timestamp", "{user},{item},{time}"),
        ("timestamp,rating,asin,reviewerID", "{time},5.0,{item},{user}"),
        ("user_id:token,rating:float,item_id:token,timestamp:float", "{user},,{item},{time}.0"),
    ],
)
def test_triples_with_and_without_a_header(tmp_path: Path, header: str, line: str) -> None:
    path = tmp_path / "log.csv"
    events = [
        ("ann", "b", 4),
        ("bob", "d", 1),
        ("ann", "c", 1),
        ("ann", "d", 2),
        ("ann", "e", 9),
        ("bob", "x", 3),
    ]
    lines = [line.format(user=user, item=item, time=time) for user, item, time in events]
    path.write_text("\r\n".join([*([header] if header else []), *lines]))
    splits = read(path, ids="text", eval_negatives=1)
    test = splits.splits["test"]
    assert test.keys[:, 0].tolist() == text_keys(["ann", "e"]).tolist()
    history = test.lists[0]
    first = slice(history.starts[0], history.starts[0] + history.lengths[0])
    assert history.keys[first].tolist() == text_keys(["c", "d", "b"]).tolist()
    assert [source.rows for source in splits.sources] == [6]
    assert {feature.key_type for feature in splits.schema.categorical} == {"text"}


def test_attributes_of_targets_and_histories(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "log.txt", [[1, 2, 3, 4, 5], [6, 7]])
    attributes = tmp_path / "items.json"
    attributes.write_text(json.dumps({"1": [9, 8], "2": [7], "4": [], "5": [6, 9, 7], "77": [1]}))
    splits = read(path, attributes, eval_negatives=2)
    assert [feature.name for feature in splits.schema.categorical] == ["user", "item", "attribute"]
    assert [(feature.name, feature.kind, feature.of) for feature in splits.schema.lists] == [
        ("history", "sequence", "item"),
        ("history_attribute", "sequence", "attribute"),
        ("attributes", "bag", ""),
    ]
    test = splits.splits["test"]
    assert key_integers(test.keys[2]).tolist() == [6, -1, -1]
    assert lists(test, 0)[0] == [1, 2, 3, 4]
    assert lists(test, 1)[0] == [9, 7, -1, -1]
    assert lists(test, 2) == [[6, 9, 7], [], []]
    assert [source.rows for source in splits.sources] == [2, 5]


def test_the_seed_decides(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "log", [list(range(start, start + 9)) for start in range(0, 90, 9)])
    first, again, other = (read(path, seed=seed, eval_negatives=5) for seed in (1, 1, 2))
    for name in ("train", "valid", "test"):
        assert rows(first, name) == rows(again, name)
        assert rows(first, name) != rows(other, name)


def test_malformed_lines_are_kept_with_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1 2 3 4 5\n2 3 x1 4\n\n3\n4 1.5 2\n5 8 9\r\n" + b"6 %d 3\n" % (2**63 - 1))
    splits = read(path, eval_negatives=1)
    (source,) = splits.sources
    assert (source.rows, source.rejected) == (2, 5)
    found = splits.rejected[str(path)]
    assert [(row.line, row.reason, row.text) for row in found] == [
        (2, "integer", b"2 3 x1 4"),
        (3, "items", b""),
        (4, "items", b"3"),
        (5, "integer", b"4 1.5 2"),
        (7, "integer", b"6 %d 3" % (2**63 - 1)),
    ]
    assert found[0].detail == "found 'x1', expected an integer of at most 18 digits, or ids=text"
    assert found[2].detail == "found 1 ids, expected a user and at least one item"
    assert len(read(path, ids="text", eval_negatives=1).rejected[str(path)]) == 2


def test_lines_in_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [[(user * 7 + step) % 60 for step in range(6)] for user in range(40)]
    path = write_lines(tmp_path / "log", users)
    expected = read(path, eval_negatives=3)
    monkeypatch.setattr("hotrow.data.formats.sequences._lines.BLOCK_BYTES", 64)
    found = read(path, eval_negatives=3)
    for name in ("train", "valid", "test"):
        assert rows(found, name) == rows(expected, name)
    path.write_text(path.read_text() + "99 " + "1 " * 200 + "\n100 x\n")
    rejected = read(path, eval_negatives=3).rejected[str(path)]
    assert [(row.line, row.reason) for row in rejected] == [(41, "line_too_long"), (42, "integer")]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "1 2 3 4 5\n1 7 8\n",
            {},
            r"log, line 2: its user is on line 1 too, expected one line for each user",
        ),
        ("1 x\nb 3\n", {}, r"log, line 1: all 2 rows were rejected; first: found 'x'"),
        (
            "1 2 3\n",
            {},
            r"log: has no target for the valid split, expected a user with 3 items or more after",
        ),
        (
            "1 2 3 4 5\n6 7\n",
            {},
            r"log: user 1 has interacted with all but 1 of 5 items, expected at least 99",
        ),
        ("1,2,3,4\n", {}, r"log, line 1: found 4 columns, expected user, item and timestamp, or a header"),
        ("user,item,rating\n", {}, r"log, line 1: has 0 columns timestamp in its header, expected one"),
    ],
)
def test_files_that_do_not_do(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read(path, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"items.json: Expected `object`, got `array`; expected a JSON object of item:"),
        ('{"1": ["a"]}', r"items.json: Expected `int`, got `str`.*expected a JSON object of item:"),
        ('{"1": [-1]}', r"items.json: found attribute -1 of item '1', expected a whole number from 0 on"),
        ('{"a": [1]}', r"items.json: found item 'a', expected a whole number, or ids=text"),
        ('{"1": [1], "01": [2]}', r"items.json: an item is there twice"),
        ('{"--1": [1]}', r"items.json: found item '--1', expected a whole number, or ids=text"),
        ("{}", r"items.json: has no items"),
        ("\xff", r"items.json: .*; expected a JSON object"),
    ],
)
def test_attributes_that_do_not_do(tmp_path: Path, text: str, message: str) -> None:
    attributes = tmp_path / "items.json"
    attributes.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read(write_lines(tmp_path / "log", [[1, 2, 3, 4]]), attributes)


def test_sources_that_do_not_do(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "log", [[1, 2, 3, 4]])
    with pytest.raises(
        DataError, match=r"found 2 files of sequences and 0 of attributes \(.json\), expected one"
    ):
        read(path, path)
    with pytest.raises(DataError, match=r"is a folder, expected a file of sequences"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["eval_negatives", "max_history", "targets_per_user"])
def test_options_out_of_range(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: got 0, expected at least 1"):
        from_mapping(SequenceOptions, {name: 0})


def test_more_negatives_than_fit_in_memory() -> None:
    with pytest.raises(ConfigError, match=r"negatives: got 10001, expected at most 10000"):
        SequenceOptions(negatives=10_001)


def test_it_is_known_by_name() -> None:
    assert isinstance(find_format("sequences"), Sequences)


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions"),
    [("Beauty", 22_363, 12_101, 198_502), ("Toys_and_Games", 19_412, 11_924, 167_597)],
)
def test_real_sequences(name: str, users: int, items: int, interactions: int) -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real data at {REAL}")
    splits = read(REAL / f"{name}.txt", REAL / f"{name}_item2attributes.json", eval_negatives=4)
    assert [(source.rows, source.rejected) for source in splits.sources] == [(users, 0), (items, 0)]
    train = splits.splits["train"]
    assert len(train.lists[0].keys) == interactions
    assert len(np.unique(train.lists[0].keys)) == items
    assert {split: len(block) for split, block in splits.splits.items()} == {
        "train": 2 * (interactions - 3 * users),
        "valid": 5 * users,
        "test": 5 * users,
    }
    assert (train.lists[1].lengths == train.lists[0].lengths).all()
    assert (key_integers(train.keys[2]) > 0).all()
