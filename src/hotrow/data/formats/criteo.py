"""Criteo's click logs: the Kaggle Display Advertising Challenge and the Terabyte day files.

One row a line, TAB between columns, no header: a label (0 or 1), integers I1..I13, categorical
values C1..C26 of up to 8 hexadecimal digits; any integer or categorical value may be empty. An
unlabelled log has the same columns without the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._fields import FieldTable, find_fields
from hotrow.data._lines import BLOCK_BYTES, LEFT_PAD, MAX_LINE_BYTES, RIGHT_PAD, LineBlock, line_blocks
from hotrow.data.formats._mappings import check_columns, hex_from_rows, integers_from_rows
from hotrow.data.formats.base import Chunk, ParsedBlock, RawFormat
from hotrow.data.raw import RawBlock
from hotrow.data.rejections import Reason, Rejections
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, DenseFeature, Schema
from hotrow.kernels.fields import read_hex, read_integers
from hotrow.kernels.fields.digits import MAX_DECIMAL_DIGITS, MAX_HEX_DIGITS

NUM_DENSE = 13
NUM_CATEGORICAL = 26
LABELLED_COLUMNS = 1 + NUM_DENSE + NUM_CATEGORICAL
DENSE_NAMES = tuple(f"I{number}" for number in range(1, NUM_DENSE + 1))
CATEGORICAL_NAMES = tuple(f"C{number}" for number in range(1, NUM_CATEGORICAL + 1))

_INTEGER = f"an integer of at most {MAX_DECIMAL_DIGITS} digits or nothing"
_HEX = f"1 to {MAX_HEX_DIGITS} hexadecimal digits or nothing"
_KNOWN = frozenset((*DENSE_NAMES, *CATEGORICAL_NAMES))
_SNIFFED_BYTES = 1 << 18


class Criteo(RawFormat):
    """The Criteo format, plain or gzipped.

    Args:
        block_bytes: how much text is read and parsed at once.
    """

    name = "criteo"
    schema = Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=name) for name in DENSE_NAMES),
        categorical=tuple(
            CategoricalFeature(name=name, rows=RESERVED_IDS, key_type="hex32") for name in CATEGORICAL_NAMES
        ),
    )

    def __init__(self, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a log at line ends; its first lines tell whether it carries labels."""
        labelled: bool | None = None
        for block in line_blocks(source, self.block_bytes):
            if labelled is None:
                labelled = _is_labelled(block)
            yield Chunk(block, block.consumed, labelled)

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse the lines of one chunk."""
        block: LineBlock = chunk.content
        columns = LABELLED_COLUMNS if chunk.labelled else LABELLED_COLUMNS - 1
        text = np.frombuffer(block.padded, dtype=np.uint8)
        max_line_bytes = 0 if block.cut else MAX_LINE_BYTES
        table = find_fields(text, columns, max_line_bytes)
        labels, dense, keys, faults = _read_rows(text, table)
        good = faults < 0
        if not good.all():
            labels, dense, keys = labels[good], dense[good], np.ascontiguousarray(keys[:, good])
        return ParsedBlock(
            RawBlock(dense, keys, labels if chunk.labelled else None),
            _rejections(table, faults, block, columns, max_line_bytes),
            table.num_lines,
        )

    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows such as ``{"I1": 3, "C1": "68fd1e64"}``."""
        check_columns(rows, _KNOWN)
        return RawBlock(integers_from_rows(rows, DENSE_NAMES), hex_from_rows(rows, CATEGORICAL_NAMES), None)


def _read_rows(
    text: NDArray[np.uint8], table: FieldTable
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.uint64], NDArray[np.int64]]:
    """Read rows with the right number of columns.

    Returns:
        Labels (B,), dense (B, N), keys (F, B) and faults (B,): the first malformed column or -1.
    """
    starts, ends = table.starts, table.ends
    categorical = starts.shape[1] - NUM_CATEGORICAL
    first = categorical - NUM_DENSE
    dense, wrong_number = read_integers(text, starts[:, first:categorical], ends[:, first:categorical])
    keys, wrong_key = read_hex(text, starts[:, categorical:], ends[:, categorical:])
    faults = np.where(wrong_key < 0, -1, wrong_key + categorical)
    faults = np.where(wrong_number < 0, faults, wrong_number + first)
    labels = np.zeros(len(starts), dtype=np.float32)
    if first:
        digit = text[starts[:, 0]] - np.uint8(ord("0"))
        labels[:] = digit
        faults[(digit > 1) | (ends[:, 0] - starts[:, 0] != 1)] = 0
    return labels, dense, keys, faults


def _kinds(columns: int) -> tuple[Reason, ...]:
    """Return what can be wrong with a row: first each column's fault, then the whole line's."""
    kinds = [Reason("label", "0 or 1", "label", 0)] if columns == LABELLED_COLUMNS else []
    kinds += [Reason("integer", _INTEGER, name, len(kinds) + at) for at, name in enumerate(DENSE_NAMES)]
    kinds += [Reason("id", _HEX, name, len(kinds) + at) for at, name in enumerate(CATEGORICAL_NAMES)]
    kinds.append(Reason("column_count", f"{columns} columns separated by TAB"))
    kinds.append(Reason("line_too_long", f"a line of at most {MAX_LINE_BYTES} bytes"))
    return tuple(kinds)


_KINDS = {columns: _kinds(columns) for columns in (LABELLED_COLUMNS, LABELLED_COLUMNS - 1)}


def _rejections(
    table: FieldTable, faults: NDArray[np.int64], block: LineBlock, columns: int, max_line_bytes: int
) -> Rejections:
    """Gather the malformed rows and the lines with a wrong number of columns, in line order."""
    bad = np.flatnonzero(faults >= 0)
    too_long = table.odd_ends - table.odd_starts >= max_line_bytes
    lines = np.concatenate((table.lines[bad], table.odd_lines))
    order = np.argsort(lines, kind="stable")
    reasons = np.concatenate((faults[bad], columns + too_long))
    starts = np.concatenate((table.starts[bad, 0], table.odd_starts))
    ends = np.concatenate((table.ends[bad, -1], table.odd_ends))
    return Rejections(
        lines[order] + 1,
        reasons[order].astype(np.uint8),
        starts[order],
        ends[order],
        block.padded if len(lines) else b"",
        _KINDS[columns],
    )


def _is_labelled(block: LineBlock) -> bool:
    """Tell by the first lines: labelled unless more of them have the unlabelled number of columns."""
    end = block.padded.rfind(b"\n", 0, len(LEFT_PAD) + _SNIFFED_BYTES)
    head = block.padded[len(LEFT_PAD) : end if end >= 0 else len(block.padded) - len(RIGHT_PAD)]
    widths = [line.count(b"\t") + 1 for line in head.split(b"\n")]
    return widths.count(LABELLED_COLUMNS) >= widths.count(LABELLED_COLUMNS - 1)
