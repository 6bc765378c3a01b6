"""What every raw log format provides.

Three kinds. A ``RawFormat`` streams logs larger than memory; a ``DescribedFormat`` becomes one by a schema
file that says what its columns are; a ``TableFormat`` reads files that fit in memory and may look at all
rows at once, for example to gather each user's history.

A ``RawFormat`` cuts its source into chunks (cheap, sequential) and parses a chunk into columns (pure, so
that chunks are parsed in parallel). Everything after that, from the split to the encoding, is the
same for all formats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from hotrow.data.assemble import RawSplits
from hotrow.data.formats.description import Description
from hotrow.data.raw import RawBlock
from hotrow.data.rejections import Rejections
from hotrow.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a source that can be parsed by itself.

    Attributes:
        content: the format's own.
        consumed: bytes of the source read for it, for progress.
        labelled: whether its rows carry a label.
    """

    content: Any
    consumed: int
    labelled: bool


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """The rows of one chunk.

    Attributes:
        rows: the accepted rows, in file order.
        rejected: the others; their lines are 1-based within the source once read by ``read``,
            within the chunk as ``parse`` returns them.
        num_lines: accepted and rejected together.
        skipped: lines before them that are no rows: a header.
        order: (B,) uint64, what the rows are split by (see ``hotrow.data.splits``); None where that is
            their place or chance.
    """

    rows: RawBlock
    rejected: Rejections
    num_lines: int
    skipped: int = 0
    order: NDArray[np.uint64] | None = None


class RowReader(ABC):
    """Reads raw rows, from a file or as mappings.

    Attributes:
        name: of the format.
        schema: which columns rows have. What only a prepared data set knows is not filled in unless the
            rows are like those of one: the rows and digests of vocabularies, the mean lengths of lists.
    """

    name: str
    schema: Schema

    @abstractmethod
    def chunks(self, source: Path) -> Iterator[Chunk]:
        """Cut a source into chunks.

        Raises:
            MissingFileError: there is no such file.
            DataError: it cannot be read, or ends where it should not.
        """

    @abstractmethod
    def parse(self, chunk: Chunk) -> ParsedBlock:
        """Parse one chunk; a pure function, called from several threads."""

    @abstractmethod
    def block_from_rows(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows given as mappings of column names to values; an absent name or None is a missing value.

        Raises:
            DataError: names the row and column of a value that the format does not allow.
        """

    def read(self, source: Path) -> Iterator[ParsedBlock]:
        """Read a source block by block, in order, in this thread.

        Raises:
            MissingFileError: there is no such file.
            DataError: it cannot be read, or ends where it should not.
        """
        lines = 0
        for chunk in self.chunks(source):
            block = self.parse(chunk)
            yield replace(block, rejected=block.rejected.shifted(lines))
            lines += block.skipped + block.num_lines


class RawFormat(RowReader):
    """A raw log format whose rows all have the same columns, and labels; it is read in a stream."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The first rows of a file.

    Attributes:
        columns: of each column its values, in the file's order; None where missing.
        typed: whether values have their types; otherwise all are text.
        rows: how many there are.
        share: of the file that they take, about.
        options: what of ``[csv]`` in a schema file must be said to read the file: a table's fields.
    """

    columns: Mapping[str, Sequence[Any]]
    typed: bool
    rows: int
    share: float
    options: Mapping[str, Any]


class DescribedFormat(ABC):
    """A raw format whose columns a schema file describes.

    Attributes:
        name: as given to ``hotrow prepare``.
    """

    name: str

    @abstractmethod
    def described(self, description: Description) -> RawFormat:
        """Return the format of files with the columns that a schema file describes."""

    @abstractmethod
    def sample(self, source: Path, rows: int) -> Sample:
        """Read the first rows of a file, to guess what its columns are.

        Raises:
            MissingFileError: there is no such file.
            DataError: it cannot be read, or has no rows.
        """


Options = TypeVar("Options")


class TableFormat(ABC, Generic[Options]):
    """A raw format that is read as a whole, in memory.

    Attributes:
        name: as given to ``hotrow prepare``, and ``Schema.format`` of what it reads.
        options: the frozen dataclass of its options; every field has a default. ``hotrow prepare``
            sets fields by ``--set key=value``.
    """

    name: str
    options: type[Options]

    @abstractmethod
    def read(self, sources: Sequence[Path], options: Options) -> RawSplits:
        """Read and split all rows.

        Args:
            sources: the files or folders given to ``hotrow prepare``; they exist.
            options: an instance of the dataclass.

        Raises:
            ConfigError: an option does not fit.
            MissingFileError: a file that belongs to a source is not there.
            DataError: a source cannot be used; names file and line.
        """
