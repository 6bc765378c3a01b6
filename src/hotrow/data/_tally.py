"""What is told of each feature, added up while rows are written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hotrow.data.raw import EncodedBlock
from hotrow.data.report import FeatureSummary
from hotrow.data.schema import MISSING_ID, UNSEEN_ID, Schema


class Tally:
    """Counts unseen and missing ids, and empty lists.

    Args:
        schema: of the rows.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._rows = 0
        self._unseen = np.zeros(len(schema.categorical), np.int64)
        self._missing = np.zeros(len(schema.categorical), np.int64)
        self._listed = np.zeros(len(schema.lists), np.int64)
        self._unseen_listed = np.zeros(len(schema.lists), np.int64)
        self._empty = np.zeros(len(schema.lists), np.int64)

    def add(self, block: EncodedBlock) -> None:
        """Count the ids of encoded rows."""
        self._rows += len(block.ids)
        self._unseen += np.count_nonzero(block.ids == UNSEEN_ID, axis=0)
        self._missing += np.count_nonzero(block.ids == MISSING_ID, axis=0)
        for column, rows in enumerate(block.lists):
            before = np.concatenate(([0], np.cumsum(rows.ids == UNSEEN_ID)))
            self._listed[column] += rows.lengths.sum()
            self._unseen_listed[column] += (before[rows.starts + rows.lengths] - before[rows.starts]).sum()
            self._empty[column] += np.count_nonzero(rows.lengths == 0)

    def summaries(self, distinct: Mapping[str, int]) -> tuple[FeatureSummary, ...]:
        """Return what is told of each feature, in column order.

        Args:
            distinct: different ids in the training split, by feature; of those that were counted.
        """
        schema, rows = self._schema, max(self._rows, 1)
        dense = [FeatureSummary(name=feature.name, kind="dense") for feature in schema.dense]
        categorical = [
            FeatureSummary(
                name=feature.name,
                kind="categorical",
                rows=feature.rows,
                encoding=feature.encoding,
                distinct=distinct.get(feature.name),
                unseen_share=float(self._unseen[at] / rows),
                missing_share=float(self._missing[at] / rows),
            )
            for at, feature in enumerate(schema.categorical)
        ]
        lists = [
            FeatureSummary(
                name=feature.name,
                kind=feature.kind,
                rows=feature.rows,
                encoding=feature.encoding,
                distinct=distinct.get(feature.of or feature.name),
                unseen_share=float(self._unseen_listed[at] / max(self._listed[at], 1)),
                missing_share=float(self._empty[at] / rows),
                of=feature.of or None,
                mean_length=feature.mean_length,
            )
            for at, feature in enumerate(schema.lists)
        ]
        return (*dense, *categorical, *lists)
