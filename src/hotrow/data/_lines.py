"""Text files, plain or gzipped, cut at line ends into blocks of bounded size."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hotrow.errors import DataError, MissingFileError

LEFT_PAD = b"0" * 24
RIGHT_PAD = b"0" * 8
"""Bytes before and after the lines, so that eight bytes can be loaded at any place in them."""

BLOCK_BYTES = 2 << 20

MAX_LINE_BYTES = 1 << 16
"""A longer line is no row of any log read here; the limit bounds what one line may take up."""

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Consecutive whole lines of one file.

    Attributes:
        padded: ``LEFT_PAD``, the lines, each ended by a newline, ``RIGHT_PAD``.
        consumed: bytes of the file (compressed ones if it is) read for this block, for progress.
        cut: the block is the beginning of one line that was longer than a whole block.
    """

    padded: bytes
    consumed: int = 0
    cut: bool = False


def line_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[LineBlock]:
    """Read a file in blocks of whole lines; a UTF-8 byte order mark is dropped, a last newline added.

    Args:
        path: a plain or gzipped file (told by its first bytes, not by its name).
        block_bytes: size of a block; a line that is longer still is cut.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is a folder, empty, unreadable, or a gzip stream that is cut short or damaged.
    """
    rest = b""
    skipping = False  # inside a line that was longer than a block
    for chunk, consumed in _chunks(path, block_bytes):
        end = chunk.rfind(b"\n") + 1
        if end == 0:
            if not skipping and len(rest) + len(chunk) > block_bytes:
                yield _block((rest + chunk)[:MAX_LINE_BYTES], b"\n", consumed, cut=True)
                rest, skipping = b"", True
            elif not skipping:
                rest += chunk
            continue
        view = memoryview(chunk)
        first = chunk.find(b"\n") + 1 if skipping else 0
        skipping = False
        if first < end or rest:
            yield _block(rest, view[first:end], consumed)
        rest = bytes(view[end:])
    if rest:
        yield _block(rest, b"\n", 0)


def block_lines(padded: bytes) -> list[bytes]:
    """Return the lines of a padded block, without their ends."""
    return padded[len(LEFT_PAD) : -len(RIGHT_PAD) - 1].split(b"\n")


def _block(rest: bytes, lines: bytes | memoryview, consumed: int, *, cut: bool = False) -> LineBlock:
    return LineBlock(b"".join((LEFT_PAD, rest, lines, RIGHT_PAD)), consumed, cut)


def _chunks(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the text in pieces, and how many bytes of the file each took."""
    with _opened(path) as raw:
        magic = raw.peek(2)[:2]  # type: ignore[attr-defined]
        if not magic:
            raise DataError(path, "the file is empty, expected at least one row")
        pieces = _gunzip(path, raw, size) if magic == _GZIP_MAGIC else iter(lambda: raw.read(size), b"")
        before, first = 0, True
        try:
            for piece in pieces:
                text = piece.removeprefix(_BYTE_ORDER_MARK) if first else piece
                position = _position(raw)
                yield text, position - before
                before, first = position, False
        except OSError as error:
            raise DataError(path, f"cannot be read ({error.strerror or error})") from error
        if first:
            raise DataError(path, "the file is empty, expected at least one row")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if path.is_dir():
            raise DataError(path, "is a folder, expected a file")
        stream = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(path, "a raw log, plain or .gz") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    with stream:
        yield stream


def _position(raw: BinaryIO) -> int:
    try:
        return os.lseek(raw.fileno(), 0, os.SEEK_CUR)
    except OSError:  # a pipe
        return 0


def _gunzip(path: Path, raw: BinaryIO, size: int) -> Iterator[bytes]:
    """Decompress in pieces of about ``size`` bytes; what is read before damage is counted for the message."""
    lines = 0
    with gzip.GzipFile(fileobj=raw) as stream:
        while True:
            parts: list[bytes] = []
            try:
                while sum(map(len, parts)) < size and (part := stream.read1(_READ_BYTES)):
                    parts.append(part)
            except EOFError as error:
                lines += sum(part.count(b"\n") for part in parts)
                raise DataError(
                    path, f"the gzip stream is cut short after {lines} whole lines; fetch the file again"
                ) from error
            except (gzip.BadGzipFile, zlib.error) as error:
                lines += sum(part.count(b"\n") for part in parts)
                raise DataError(
                    path,
                    f"the gzip stream is damaged after {lines} whole lines ({error}); fetch the file again",
                ) from error
            if not parts:
                return
            piece = b"".join(parts)
            lines += piece.count(b"\n")
            yield piece
