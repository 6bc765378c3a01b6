"""Reading lines of ``user item item ...``, the oldest item first, spaces or TABs between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data._lines import BLOCK_BYTES, LEFT_PAD, LineBlock, line_blocks
from hotrow.data.formats._cells import Cells, expected_of, read_cells
from hotrow.data.formats._runs import run_starts
from hotrow.data.formats.sequences._events import Events
from hotrow.data.keys import integer_keys
from hotrow.data.manifest import SourceInfo
from hotrow.data.rejections import Rejection, none_accepted
from hotrow.data.schema import KeyType
from hotrow.errors import DataError

_TAB, _NEWLINE = 9, 10
_TO_TABS = bytes.maketrans(b" \r", b"\t\t")


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The tokens of a block: keys, whether they are malformed, and the line of each."""

    keys: NDArray[np.uint64]
    is_wrong: NDArray[np.bool_]
    lines: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def read_lines(path: Path, key_type: KeyType) -> tuple[Events, SourceInfo, list[Rejection]]:
    """Read a file.

    Args:
        path: plain or gzipped.
        key_type: ``integer`` or ``text``.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read, no line can be used, or a user has two lines.
    """
    users, items, line_numbers, rejected, before = [], [], [], [], 0
    for block in line_blocks(path, BLOCK_BYTES):
        tokens = _tokens(block, key_type)
        num_lines = block.padded.count(b"\n")
        counts = np.bincount(tokens.lines, minlength=num_lines)
        faulty = np.bincount(tokens.lines[tokens.is_wrong], minlength=num_lines) > 0
        good = (counts >= 2) & ~faulty & (not block.cut)
        firsts = np.cumsum(counts) - counts
        rejected += _rejections(block, tokens, np.flatnonzero(~good), firsts, counts, key_type, before)
        is_item = good[tokens.lines]
        is_item[firsts[good]] = False
        users.append(np.repeat(tokens.keys[firsts[good]], counts[good] - 1))
        items.append(tokens.keys[is_item])
        line_numbers.append(np.repeat(np.flatnonzero(good) + before + 1, counts[good] - 1))
        before += num_lines
    info = SourceInfo(file=str(path), rows=before - len(rejected), rejected=len(rejected))
    if not info.rows:
        raise none_accepted(path, before, rejected[0])
    return (
        _by_user(path, np.concatenate(users), np.concatenate(items), np.concatenate(line_numbers)),
        info,
        rejected,
    )


def _by_user(
    path: Path, users: NDArray[np.uint64], items: NDArray[np.uint64], lines: NDArray[np.int64]
) -> Events:
    order = np.argsort(users, kind="stable")
    users, items, lines = users[order], items[order], lines[order]
    again = np.flatnonzero((users[1:] == users[:-1]) & (lines[1:] != lines[:-1])) + 1
    if again.size:
        reason = f"its user is on line {lines[again[0] - 1]} too, expected one line for each user"
        raise DataError(path, reason, line=int(lines[again[0]]))
    return Events(path, users, items, np.arange(len(users)) - run_starts(users))


def _tokens(block: LineBlock, key_type: KeyType) -> _Tokens:
    """Find and read what stands between spaces, TABs and line ends."""
    text = block.padded.translate(_TO_TABS)
    cells = Cells.of(text)
    separators = np.flatnonzero((cells.view - np.uint8(_TAB)) < 2)
    starts = np.concatenate((np.array([len(LEFT_PAD)]), separators[:-1] + 1))
    is_newline = cells.view[separators] == _NEWLINE
    lines = np.cumsum(is_newline) - is_newline
    present = separators > starts
    starts, ends, lines = starts[present], separators[present], lines[present]
    if key_type == "integer":
        values, is_wrong = read_cells(cells, starts, ends, "integer")
        keys = integer_keys(np.where(is_wrong, 0, values))
    else:
        keys, is_wrong = read_cells(cells, starts, ends, "text")
    return _Tokens(keys, is_wrong, lines, starts, ends)


def _rejections(
    block: LineBlock,
    tokens: _Tokens,
    bad: NDArray[np.int64],
    firsts: NDArray[np.int64],
    counts: NDArray[np.int64],
    key_type: KeyType,
    before: int,
) -> list[Rejection]:
    """Say of each line at fault what is wrong with it."""
    found = []
    lines = block.padded[len(LEFT_PAD) :].split(b"\n") if bad.size else []
    for line in bad.tolist():
        mine = slice(firsts[line], firsts[line] + counts[line])
        wrong = np.flatnonzero(tokens.is_wrong[mine]) + firsts[line]
        if block.cut:
            kind, detail = (
                "line_too_long",
                f"found a longer one, expected a line of at most {BLOCK_BYTES} bytes",
            )
        elif counts[line] < 2:
            kind, detail = "items", f"found {counts[line]} ids, expected a user and at least one item"
        else:
            kind = key_type
            token = block.padded[tokens.starts[wrong[0]] : tokens.ends[wrong[0]]]
            shown = token[:40].decode("utf-8", "backslashreplace")
            detail = f"found {shown!r}, expected {expected_of('integer', optional=False)}, or ids=text"
        found.append(Rejection(line + before + 1, kind, "", detail, lines[line].removesuffix(b"\r")))
    return found
