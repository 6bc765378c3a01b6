"""Sequences of items: each user's, in order of time, cut before every item that is to be predicted.

As in "Deep Interest Network" (Zhou et al., KDD 2018): a row is a user, a target item and the items before
it; the label is 1 for the item that came next and 0 for sampled ones. The last item of each user is the
test, the one before validates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hotrow.data.assemble import RawSplits
from hotrow.data.formats._negatives import UnseenItems
from hotrow.data.formats.base import TableFormat
from hotrow.data.formats.sequences._attributes import Attributes, read_attributes
from hotrow.data.formats.sequences._events import Events
from hotrow.data.formats.sequences._lines import read_lines
from hotrow.data.formats.sequences._rows import RowMaker
from hotrow.data.formats.sequences._targets import split_targets
from hotrow.data.formats.sequences._triples import read_triples, separator_of
from hotrow.data.formats.sequences.options import SequenceOptions
from hotrow.data.keys import integer_keys, key_integers
from hotrow.data.manifest import SourceInfo
from hotrow.data.rejections import Rejection
from hotrow.errors import DataError

__all__ = ["SequenceOptions", "Sequences"]


class Sequences(TableFormat[SequenceOptions]):
    """Lines of ``user item item ...``, or timestamped triples; item attributes as a second source."""

    name = "sequences"
    options = SequenceOptions

    def read(self, sources: Sequence[Path], options: SequenceOptions) -> RawSplits:
        """Read sequences, and a JSON file of attributes if one is given; see ``SequenceOptions``."""
        path, attribute_path = _tell_apart(sources)
        events, info, rejected = _read_events(path, options)
        infos = [info]
        attributes: Attributes | None = None
        if attribute_path is not None:
            attributes, attribute_info = read_attributes(attribute_path, options.ids)
            infos.append(attribute_info)
        targets = split_targets(events, targets_per_user=options.targets_per_user)
        unseen = UnseenItems(key_integers(events.users), key_integers(events.items), path)
        rng = np.random.default_rng(options.seed)
        maker = RowMaker(events, attributes, options.ids, options.max_history)
        splits = {}
        for name, rows in targets.items():
            users = key_integers(events.users[rows])
            if name == "train":
                negatives = unseen.sample(users, options.negatives, rng)
            else:
                negatives = unseen.sample_distinct(users, options.eval_negatives, rng)
            splits[name] = maker.block(rows, integer_keys(negatives))
        return RawSplits(
            schema=maker.schema(), splits=splits, sources=tuple(infos), rejected={str(path): rejected}
        )


def _tell_apart(sources: Sequence[Path]) -> tuple[Path, Path | None]:
    """Return the file of sequences and that of attributes, which is the one that ends in .json."""
    for source in sources:
        if source.is_dir():
            raise DataError(
                source, "is a folder, expected a file of sequences, and one of attributes (.json)"
            )
    attributes = [source for source in sources if source.suffix == ".json"]
    events = [source for source in sources if source.suffix != ".json"]
    if len(events) != 1 or len(attributes) > 1:
        found = f"{len(events)} files of sequences and {len(attributes)} of attributes (.json)"
        raise DataError(sources[0], f"found {found}, expected one, and at most one")
    return events[0], attributes[0] if attributes else None


def _read_events(path: Path, options: SequenceOptions) -> tuple[Events, SourceInfo, list[Rejection]]:
    is_triples = options.layout == "triples"
    if options.layout == "auto":
        is_triples = separator_of(path) is not None
    if not is_triples:
        return read_lines(path, options.ids)
    events, columns = read_triples(path, options.ids)
    return events, columns.source_info(), columns.rejections()
