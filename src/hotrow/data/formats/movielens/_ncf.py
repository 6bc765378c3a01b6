"""The files of "Neural Collaborative Filtering" (He et al., WWW 2017) as they were published.

``*.train.rating`` (user, item, rating, time, TAB between them) or pairs of user and item; in
``*.test.rating`` each user's last interaction; in ``*.test.negative``, line by line, the same pair as
``(user,item)`` and items that the user never interacted with. Ids start at 0 and are not MovieLens's.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._columns import Columns, first_cells, read_columns
from hotrow.data.formats._delimited import Field, Layout
from hotrow.data.formats._negatives import UnseenItems
from hotrow.data.formats.movielens._files import MovieLensFiles, Role
from hotrow.data.formats.movielens._rows import Examples, with_negatives
from hotrow.errors import DataError

_PAIR = (Field("user", "integer"), Field("item", "integer"))
_ROLES: tuple[Role, ...] = ("train", "test", "negatives")
_PAIR_TEXT = re.compile(r"\((\d{1,18}),(\d{1,18})\)")


def read_ncf(
    files: MovieLensFiles, *, eval_negatives: int, seed: int
) -> tuple[dict[str, Examples], list[Columns]]:
    """Read training pairs and the published test rows, and hold out one positive of each user to validate on.

    Args:
        files: has all three.
        eval_negatives: unseen items drawn for each validation positive.
        seed: of the choice of positives and negatives.

    Returns:
        The rows of each split, a user's positive first and then its negatives; and the files' columns.

    Raises:
        MissingFileError: one of the files is not there.
        DataError: a test file has a malformed line, or the two do not agree.
    """
    path, test_path, negative_path = (files.require(role)[0] for role in _ROLES)
    train, test = _read_pairs(path), _read_pairs(test_path)
    negatives, negative_columns = _read_negatives(negative_path, test)
    users, items = _without(train, test)
    rng = np.random.default_rng(seed)
    held = _one_of_each(users, rng)
    seen = (np.concatenate((users, test["user"])), np.concatenate((items, test["item"])))
    drawn = UnseenItems(*seen, path).sample_distinct(users[held], eval_negatives, rng)
    is_kept = np.ones(len(users), dtype=np.bool_)
    is_kept[held] = False
    splits = {
        "train": _positives(users[is_kept], items[is_kept]),
        "valid": with_negatives(_positives(users[held], items[held]), drawn),
        "test": with_negatives(_positives(test["user"], test["item"]), negatives),
    }
    return splits, [train, test, negative_columns]


def _read_pairs(path: Path) -> Columns:
    width = len(first_cells(path, "\t"))
    if width < 2:
        raise DataError(path, f"found {width} column, expected user and item separated by TAB", line=1)
    return read_columns(
        path, Layout((*_PAIR, *(Field(f"column {at}", "skip") for at in range(3, width + 1))))
    )


def _read_negatives(path: Path, test: Columns) -> tuple[NDArray[np.int64], Columns]:
    """Read each test pair's negatives, (B, n), and see that the two files belong together."""
    width = len(first_cells(path, "\t"))
    names = [f"negative {at}" for at in range(1, width)]
    layout = Layout((Field("pair", "string"), *(Field(name, "integer") for name in names)))
    columns = read_columns(path, layout)
    for file in (test, columns):
        for rejections in file.rejected:
            raise next(iter(rejections)).error(file.path)
    if len(columns) != len(test) or not names:
        expected = f"negatives of the {len(test)} pairs of {test.path}"
        raise DataError(path, f"{len(columns)} lines of {len(names)} negatives, expected {expected}")
    pairs = zip(columns["pair"].tolist(), test["user"].tolist(), test["item"].tolist(), strict=True)
    for line, (text, user, item) in enumerate(pairs, start=1):
        match = _PAIR_TEXT.fullmatch(text)
        if match is None or (int(match[1]), int(match[2])) != (user, item):
            expected = f"({user},{item}), as line {line} of {test.path} has it"
            raise DataError(path, f"found {text!r}, expected {expected}", line=line, column="pair")
    return np.stack([columns[name] for name in names], axis=1), columns


def _without(train: Columns, test: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the training pairs that are no test positives."""
    users, items = train["user"], train["item"]
    all_items, codes = np.unique(np.concatenate((items, test["item"])), return_inverse=True)
    _, user_codes = np.unique(np.concatenate((users, test["user"])), return_inverse=True)
    pairs = user_codes * len(all_items) + codes
    is_test = np.isin(pairs[: len(users)], pairs[len(users) :])
    return users[~is_test], items[~is_test]


def _one_of_each(users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose one row of each user that has two or more, by increasing user."""
    order = np.lexsort((rng.random(len(users)), users))
    _, firsts, counts = np.unique(users[order], return_index=True, return_counts=True)
    return order[firsts[counts > 1]]


def _positives(users: NDArray[np.int64], items: NDArray[np.int64]) -> Examples:
    return Examples(users, items, np.ones(len(users), dtype=np.float32))
