"""Reading columns whose cells are places in a padded block of text, a column at a time.

Shape letters: B lines, V values of all lists together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.data._fields import FieldTable
from hotrow.data._lines import RIGHT_PAD
from hotrow.data._slices import flat_indices
from hotrow.data.formats._cells import Cells, read_cells
from hotrow.data.formats._column_reader import Fault, shortened
from hotrow.data.formats._described_columns import DescribedColumns
from hotrow.data.formats._times import EXPECTED_TIME, read_datetimes
from hotrow.data.formats._values import EXPECTED_KEY, EXPECTED_LABEL, EXPECTED_NUMBER, IsWrong, read_keys
from hotrow.data.formats.options import TimeKind
from hotrow.data.keys import integer_keys
from hotrow.data.raw import MISSING_KEY, RawList
from hotrow.data.schema import KeyType, TableLayout
from hotrow.kernels.fields.digits import MAX_DECIMAL_DIGITS

_MOST_DIGITS = 20  # of a whole number of 64 bits, its sign included
Places = NDArray[np.int64]


class CellColumns(DescribedColumns):
    """Reads the cells of B lines.

    Args:
        text: the padded block.
        table: where cells are in it.
        names: of its columns, in order.
        layout: says what stands between the values of a list.
    """

    def __init__(self, text: bytes, table: FieldTable, names: Sequence[str], layout: TableLayout) -> None:
        super().__init__(len(table.lines))
        self._cells = Cells.of(text)
        self._table = table
        self._columns = {name: at for at, name in enumerate(names)}
        of_weights = {column: layout.separators[bag] for bag, column in layout.weights.items()}
        self._separators = {**layout.separators, **of_weights}

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Read decimal numbers."""
        starts, ends = self._places(name)
        values, is_wrong = read_cells(self._cells, starts, ends, "number")
        self._note(name, "number", is_wrong, starts, ends, EXPECTED_NUMBER)
        return values

    def labels(self, name: str) -> NDArray[np.float32]:
        """Read labels."""
        starts, ends = self._places(name)
        values, is_wrong = read_cells(self._cells, starts, ends, "number")
        is_wrong |= (values != 0) & (values != 1)
        self._note(name, "label", is_wrong, starts, ends, EXPECTED_LABEL)
        return values.astype(np.float32)

    def keys(self, name: str, key_type: KeyType) -> NDArray[np.uint64]:
        """Read ids."""
        starts, ends = self._places(name)
        keys, is_wrong = self._read_keys(starts, ends, key_type)
        self._note(name, "id", is_wrong, starts, ends, EXPECTED_KEY[key_type])
        return keys

    def lists(self, name: str, key_type: KeyType) -> RawList:
        """Read lists of ids."""
        starts, ends, lengths = self._items(name)
        keys, is_wrong = self._read_keys(starts, ends, key_type)
        self._note_items(name, is_wrong | (starts == ends), starts, ends, lengths, EXPECTED_KEY[key_type])
        return RawList(keys, np.cumsum(lengths) - lengths, lengths)

    def weights(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Read lists of numbers."""
        starts, ends, lengths = self._items(name)
        values, is_wrong = read_cells(self._cells, starts, ends, "number")
        self._note_items(name, is_wrong | (starts == ends), starts, ends, lengths, EXPECTED_NUMBER)
        return values.astype(np.float32), lengths

    def times(self, name: str, kind: TimeKind) -> NDArray[np.float64]:
        """Read times."""
        starts, ends = self._places(name)
        if kind == "number":
            values, is_wrong = read_cells(self._cells, starts, ends, "number")
            is_wrong |= np.isnan(values)
        else:
            values = read_datetimes(self._texts(starts, ends))
            is_wrong = np.isnan(values)
        self._note(name, "time", is_wrong, starts, ends, EXPECTED_TIME[kind])
        return values

    def _places(self, name: str) -> tuple[Places, Places]:
        """Return where a column's cells begin and end; empty cells of a column that is absent."""
        at = self._columns.get(name)
        if at is None:
            nowhere = np.full(self.count, len(self._cells.text) - len(RIGHT_PAD), dtype=np.int64)
            return nowhere, nowhere
        return self._table.starts[:, at].copy(), self._table.ends[:, at].copy()

    def _read_keys(
        self, starts: Places, ends: Places, key_type: KeyType
    ) -> tuple[NDArray[np.uint64], IsWrong]:
        if key_type == "text":
            return read_cells(self._cells, starts, ends, "text")
        assert key_type == "integer"
        whole, is_wrong = read_cells(self._cells, starts, ends, "integer")
        lengths = ends - starts
        whole[is_wrong] = 0
        keys = integer_keys(whole)
        long = np.flatnonzero(is_wrong & (lengths > MAX_DECIMAL_DIGITS) & (lengths <= _MOST_DIGITS))
        if long.size:
            keys[long], is_wrong[long] = read_keys(self._texts(starts[long], ends[long]), key_type)
        np.copyto(keys, MISSING_KEY, where=lengths == 0)
        return keys, is_wrong

    def _items(self, name: str) -> tuple[Places, Places, NDArray[np.int64]]:
        """Return where the values of a column's lists begin and end, (V,), and the lengths of lists, (B,)."""
        starts, ends = self._places(name)
        sizes = ends - starts
        places = flat_indices(starts, sizes)
        is_border = self._cells.view[places] == ord(self._separators[name])
        borders = places[is_border]
        is_filled = sizes > 0
        in_row = np.repeat(np.arange(self.count), sizes)[is_border]
        lengths = np.bincount(in_row, minlength=self.count) + is_filled
        # Cells come in the order of their places, so that sorting puts borders between their cells' ends.
        item_starts = np.sort(np.concatenate((starts[is_filled], borders + 1)))
        item_ends = np.sort(np.concatenate((borders, ends[is_filled])))
        return item_starts, item_ends, lengths

    def _texts(self, starts: Places, ends: Places) -> list[str]:
        text = self._cells.text
        places = zip(starts.tolist(), ends.tolist(), strict=True)
        return [text[start:end].decode("utf-8", "backslashreplace") for start, end in places]

    def _note(
        self, name: str, reason: str, is_wrong: IsWrong, starts: Places, ends: Places, expected: str
    ) -> None:
        rows = np.flatnonzero(is_wrong)
        found = self._texts(starts[rows], ends[rows])
        for row, text in zip(rows.tolist(), found, strict=True):
            detail = f"found {shortened(text)}, expected {expected.replace('null', 'nothing')}"
            self.note(row, Fault(name, reason, detail))

    def _note_items(
        self,
        name: str,
        is_wrong: IsWrong,
        starts: Places,
        ends: Places,
        lengths: NDArray[np.int64],
        expected: str,
    ) -> None:
        wrong = np.flatnonzero(is_wrong)
        rows = np.searchsorted(np.cumsum(lengths), wrong, side="right")
        found = self._texts(starts[wrong], ends[wrong])
        for row, text in zip(rows.tolist(), found, strict=True):
            self.note_item(row, name, text, expected)
