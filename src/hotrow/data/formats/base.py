"""What every raw log format provides.

Two kinds. A ``RawFormat`` streams logs larger than memory; a ``TableFormat`` reads files that fit in
memory and may look at all rows at once, for example to gather each user's history.

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

from hotrow.data.assemble import RawSplits
from hotrow.data.raw import RawBlock
from hotrow.data.rejections import Rejections
from hotrow.data.schema import DenseFeature, KeyType


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
    """

    rows: RawBlock
    rejected: Rejections
    num_lines: int
    skipped: int = 0


class RowReader(ABC):
    """Reads raw rows, from a file or as mappings.

    Attributes:
        name: of the format.
        dense: the N dense features, in column order.
        categorical: names of the F categorical features, in column order.
    """

    name: str
    dense: tuple[DenseFeature, ...]
    categorical: tuple[str, ...]

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
    """A raw log format whose rows all have the same columns, and one label.

    Attributes:
        name: as given to ``hotrow prepare``.
        label: name of the label column.
        key_type: how the text of categorical features becomes a key.
    """

    label: str
    key_type: KeyType


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
