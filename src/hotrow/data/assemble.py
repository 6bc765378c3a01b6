"""From raw rows held in memory to a prepared data set: what formats of the size of MovieLens need.

Click logs larger than memory take the passes of :mod:`hotrow.data.prepare` instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hotrow.data.manifest import SourceInfo
from hotrow.data.raw import RawBlock
from hotrow.data.rejections import Rejection
from hotrow.data.schema import Schema


@dataclass(frozen=True, kw_only=True)
class RawSplits:
    """All rows that a format has read, split and not yet encoded.

    Attributes:
        schema: names, kinds and key types are final. Of features with a vocabulary, ``rows`` is
            ``RESERVED_IDS`` and ``vocabulary`` empty, and of list features ``mean_length`` is 0:
            ``assemble`` fills them in. A list feature with ``of`` has that feature's key type and encoding.
        splits: ``train``, ``valid`` and ``test``, each with labels, and as many columns as the schema has;
            a split may be empty (rows of length 0), but for ``train``. Blocks may share the arrays of
            keys of their lists.
        sources: the files that were read.
        rejected: rows that could not be used, in line order, by the file they are in (as
            ``SourceInfo.file`` has it); files without any may be left out.
    """

    schema: Schema
    splits: Mapping[str, RawBlock]
    sources: tuple[SourceInfo, ...]
    rejected: Mapping[str, Sequence[Rejection]] = field(default_factory=dict)
