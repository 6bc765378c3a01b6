"""Rows that cannot be used: what is wrong with them, and the side file that keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import DataError

REJECTED_FILE = "rejected.tsv"
_HEADER = b"source\tline\treason\tcolumn\ttext\n"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that was not accepted.

    Attributes:
        line: its 1-based line.
        reason: what kind of fault, e.g. ``"integer"``; the unit in which rejections are counted.
        column: name of the first column at fault, or an empty string for the whole line.
        detail: what was found and what was expected.
        text: the line, without its end.
    """

    line: int
    reason: str
    column: str
    detail: str
    text: bytes

    def error(self, source: Path) -> DataError:
        """Return the exception that stops a strict reader here."""
        return DataError(source, self.detail, line=self.line, column=self.column or None)


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of fault, in one column or in the line as a whole.

    Attributes:
        name: what it is counted as.
        expected: a phrase for messages.
        column: the column's name, or an empty string for the whole line.
        index: the column's position, or -1.
    """

    name: str
    expected: str
    column: str = ""
    index: int = -1


@dataclass(frozen=True, slots=True)
class Rejections:
    """The rejected rows of one block, in line order and kept compactly: there can be millions.

    Attributes:
        lines: (X,) 1-based lines.
        reasons: (X,) index into ``kinds``.
        starts: (X,) first byte of each line in ``data``.
        ends: (X,) one past its last byte.
        data: the block's text.
        kinds: what can be wrong with a row of this format.
        separator: what separates the columns of a line.
        details: (X,) what was found and what was expected, where ``kinds`` does not say.
    """

    lines: NDArray[np.int64]
    reasons: NDArray[np.integer[Any]]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    data: bytes
    kinds: tuple[Reason, ...]
    separator: bytes = b"\t"
    details: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Rejection]:
        places = zip(self.lines.tolist(), self.starts.tolist(), self.ends.tolist(), strict=True)
        for at, (line, start, end) in enumerate(places):
            kind, text = self.kinds[self.reasons[at]], self.data[start:end].removesuffix(b"\r")
            detail = self.details[at] if self.details else _detail(kind, text, self.separator)
            yield Rejection(line, kind.name, kind.column, detail, text)

    def shifted(self, lines: int) -> Rejections:
        """Return the same rejections ``lines`` further down the file."""
        return replace(self, lines=self.lines + lines)

    def counts(self) -> Counter[str]:
        """Return how many rows were rejected for each reason."""
        found = np.bincount(self.reasons, minlength=len(self.kinds)).tolist()
        total: Counter[str] = Counter()
        for kind, count in zip(self.kinds, found, strict=True):
            if count:
                total[kind.name] += count
        return total


def _detail(kind: Reason, text: bytes, separator: bytes) -> str:
    if kind.index >= 0:
        found = repr(_shorten(text.split(separator)[kind.index]).decode("utf-8", "backslashreplace"))
    elif kind.name == "column_count":
        count = text.count(separator) + 1
        found = f"{count} column{'s' if count > 1 else ''}" if text else "an empty line"
    else:
        found = "a longer one"
    return f"found {found}, expected {kind.expected}"


def _shorten(text: bytes, limit: int = 40) -> bytes:
    return text if len(text) <= limit else text[:limit] + b"..."


def none_accepted(source: Path, count: int, first: Rejection) -> DataError:
    """Return the error of a source whose ``count`` rows were all rejected."""
    reason = f"all {count} rows were rejected; first: {first.detail}"
    return DataError(source, reason, line=first.line, column=first.column or None)


@dataclass(frozen=True, kw_only=True)
class RejectionState:
    """How far a ``RejectionLog`` is.

    Attributes:
        counts: rejected rows by reason.
        size: bytes of the file; 0: there is none.
    """

    counts: dict[str, int]
    size: int


class RejectionLog:
    r"""Writes rejected rows to ``rejected.tsv`` (made when the first one comes) and counts them.

    The text column is escaped: backslash, TAB and carriage return as ``\\``, ``\t``, ``\r``,
    other control bytes and bytes that are no UTF-8 as ``\xNN``.

    Args:
        folder: where the file goes.
        state: what ``state`` returned, to go on from there.
    """

    def __init__(self, folder: Path, state: RejectionState | None = None) -> None:
        self.path = folder / REJECTED_FILE
        self.counts: Counter[str] = Counter()
        self._stream: BinaryIO | None = None
        if state is not None and state.size:
            self.counts.update(state.counts)
            self._stream = self.path.open("r+b")
            self._stream.truncate(state.size)
            self._stream.seek(state.size)
        else:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> RejectionLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def state(self) -> RejectionState:
        """Write out what was added, and return what is needed to go on after it."""
        if self._stream is None:
            return RejectionState(counts={}, size=0)
        self._stream.flush()
        return RejectionState(counts=dict(self.counts), size=self._stream.tell())

    def add(self, source: Path, rejections: Rejections | Sequence[Rejection]) -> None:
        """Write and count rejected rows."""
        if not len(rejections):
            return
        if isinstance(rejections, Rejections):
            self.counts += rejections.counts()
        else:
            self.counts += Counter(row.reason for row in rejections)
        if self._stream is None:
            self._stream = self.path.open("wb")
            self._stream.write(_HEADER)
        name = escape(str(source).encode("utf-8", "surrogateescape"))
        for row in rejections:
            fields = (name, b"%d" % row.line, row.reason.encode(), row.column.encode(), escape(row.text))
            self._stream.write(b"\t".join(fields) + b"\n")


_CONTROL = {byte: f"\\x{byte:02x}".encode() for byte in (*range(0x20), 0x7F)} | {
    ord("\\"): b"\\\\",
    ord("\t"): b"\\t",
    ord("\r"): b"\\r",
    ord("\n"): b"\\n",
}


def escape(text: bytes) -> bytes:
    """Make a line safe for one column of a TSV file, losing nothing."""
    if not text.isascii() or not text.decode().isprintable() or b"\\" in text:
        text = b"".join(_CONTROL.get(byte, bytes((byte,))) for byte in text)
        text = text.decode("utf-8", "backslashreplace").encode()
    return text
