"""Avazu's click log (Kaggle, 2014): CSV with a header, every feature categorical.

Columns: ``id``, ``click`` (absent in an unlabelled log), ``hour`` as YYMMDDHH, and 21 ids, some of them
hexadecimal, others whole numbers; all are read as text. Of the hour there are three features: itself,
``hour_of_day`` (``00`` to ``23``) and ``weekday`` (``0`` for Monday to ``6``). ``id`` is no feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._lines import BLOCK_BYTES, LineBlock, line_blocks
from hotrow.data.formats._columns import first_cells
from hotrow.data.formats._delimited import Field, Layout, label_field, parse_block
from hotrow.data.formats._row_columns import require_rows
from hotrow.data.formats.base import Chunk, ParsedBlock, RawFormat
from hotrow.data.keys import text_keys
from hotrow.data.raw import RawBlock
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, Schema
from hotrow.errors import DataError

ID, CLICK, HOUR, HOUR_OF_DAY, WEEKDAY = "id", "click", "hour", "hour_of_day", "weekday"
IDS = (
    *("C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category"),
    *("device_id", "device_ip", "device_model", "device_type", "device_conn_type"),
    *("C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21"),
)
_DERIVED = (HOUR, HOUR_OF_DAY, WEEKDAY)
_HOUR = "an hour as YYMMDDHH"


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines to be parsed; ``skipped`` of the first ones are the header."""

    block: LineBlock
    layout: Layout
    skipped: int


class Avazu(RawFormat):
    """The Avazu format, plain or gzipped.

    Args:
        block_bytes: how much text is read and parsed at once.
    """

    name = "avazu"
    schema = Schema(
        format="avazu",
        label=CLICK,
        dense=(),
        categorical=tuple(
            CategoricalFeature(name=name, rows=RESERVED_IDS, key_type="text") for name in (*_DERIVED, *IDS)
        ),
    )

    def __init__(self, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes

    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a log at line ends; its header tells whether it carries labels."""
        layout = _layout(source)
        labelled = any(field.name == CLICK for field in layout.fields)
        skipped = 1
        for block in line_blocks(source, self.block_bytes):
            yield Chunk(_Lines(block, layout, skipped), block.consumed, labelled)
            skipped = 0

    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse the lines of one chunk."""
        content: _Lines = chunk.content
        parsed = parse_block(content.block, content.layout, skipped=content.skipped)
        values = parsed.values
        keys = np.stack([*_hour_keys(values[HOUR]), *(values[name] for name in IDS)])
        labels = values[CLICK].astype(np.float32) if chunk.labelled else None
        block = RawBlock(np.empty((keys.shape[1], 0)), keys, labels)
        return ParsedBlock(block, parsed.rejected, parsed.num_lines - content.skipped, content.skipped)

    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows such as ``{"hour": "14102100", "site_id": "1fbe01fe", "C14": 15706}``.

        What the hour tells may be given by itself too, and then need not agree with it.
        """
        return require_rows([_completed(row, at) for at, row in enumerate(rows)], _ROW)


_ROW = replace(Avazu.schema, group=ID)  # which is known, and left alone


def _layout(source: Path) -> Layout:
    """Read the header: the known columns in any order, each once.

    Raises:
        DataError: a column is missing, unknown or there twice.
    """
    names = first_cells(source, ",")
    kinds = {name: Field(name, "text", optional=True) for name in IDS}
    kinds[ID] = Field(ID, "skip")
    kinds[CLICK] = label_field(CLICK)
    kinds[HOUR] = Field(HOUR, "integer", check=_is_hour, expected=_HOUR)
    for name in names:
        if name not in kinds or names.count(name) > 1:
            reason = "unknown column in the header" if name not in kinds else "is in the header twice"
            raise DataError(source, f"{reason}, expected Avazu's columns", line=1, column=name[:40])
    for name in (HOUR, *IDS):
        if name not in names:
            raise DataError(source, "is not in the header, expected Avazu's columns", line=1, column=name)
    return Layout(tuple(kinds[name] for name in names), ",", header=True)


def _is_hour(hours: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which numbers are hours, YYMMDDHH."""
    year, month, day, hour = hours // 1_000_000, hours // 10_000 % 100, hours // 100 % 100, hours % 100
    is_date = (hours >= 0) & (year < 100) & (month >= 1) & (month <= 12) & (day >= 1)
    first = np.where(is_date, (2000 - 1970 + year) * 12 + month - 1, 0).astype("datetime64[M]")
    days_in_month = (first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")
    found: NDArray[np.bool_] = is_date & (day <= days_in_month.astype(np.int64)) & (hour < 24)
    return found


def _hour_keys(hours: NDArray[np.int64]) -> list[NDArray[np.uint64]]:
    """Return the keys of the three features that an hour is; a block has few different ones."""
    different, inverse = np.unique(hours, return_inverse=True)
    texts = [_hour_texts(hour) for hour in different.tolist()]
    return [text_keys([text[at] for text in texts])[inverse] for at in range(len(_DERIVED))]


def _hour_texts(hour: int) -> tuple[str, str, str]:
    """Return an hour as it is written, its hour of the day and its weekday."""
    text = f"{hour:08}"
    day = np.datetime64(f"20{text[:2]}-{text[2:4]}-{text[4:6]}")
    weekday = (int(day.astype(np.int64)) + 3) % 7  # 1970-01-01 was a Thursday
    return text, text[6:], str(weekday)


def _completed(row: Mapping[str, Any], at: int) -> Mapping[str, Any]:
    """Add what the hour tells to a row, where it is not given."""
    hour = row.get(HOUR)
    if hour is None or hour == "":
        return row
    text = str(hour)
    is_written = isinstance(hour, str | int) and text.isascii() and text.isdigit() and len(text) <= 8
    if not is_written or not _is_hour(np.array([int(text)]))[0]:
        raise DataError(f"rows[{at}]", f"found {str(hour)[:40]!r}, expected {_HOUR}", column=HOUR)
    return dict(zip(_DERIVED, _hour_texts(int(text)), strict=True)) | {**row, HOUR: f"{int(text):08}"}
