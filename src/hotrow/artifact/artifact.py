"""A loaded artifact: raw rows in, click probabilities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.data.encoder import Encoder
from hotrow.data.formats import RowReader, reader_of
from hotrow.data.jagged import to_jagged
from hotrow.data.raw import EncodedBlock, RawBlock
from hotrow.data.schema import Schema
from hotrow.errors import SchemaMismatchError
from hotrow.layers.inference import Networks, sigmoid
from hotrow.models import Correction, ModelConfig, RankingModel
from hotrow.types import Batch

BATCH_ROWS = 4096
"""Rows scored at a time: enough to fill the cores, little enough to stay in their caches."""

BATCH_LISTED = 1 << 20
"""Ids of list features scored at a time, but for a row that has more: they take memory, not rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """A trained model with all that it needs to rank raw rows.

    Attributes:
        path: the folder it was loaded from.
        name: the model's registered name.
        config: the model's configuration, which says how each table is stored.
        model: in evaluation mode, without gradients, its layers those of ``hotrow.layers.inference``: a row
            has the same bits whatever the rows and threads it is scored with.
        weights: of the networks, by name, as they were trained.
        networks: in which numbers the networks are computed.
        device: where the model is; scores of another device differ from the CPU's in last bits.
        schema: features and how raw values are encoded.
        encoder: from raw rows to the model's input.
        metrics: what was measured of the model when it was written.
        version: the same for artifacts of the same content only.
        correction: what makes the probabilities of the model's logits those of the data.
    """

    path: Path
    name: str
    config: ModelConfig
    model: RankingModel
    weights: Mapping[str, Tensor]
    networks: Networks
    schema: Schema
    encoder: Encoder
    metrics: Mapping[str, Any]
    version: str
    correction: Correction = field(default_factory=Correction)
    device: str = "cpu"

    @cached_property
    def format(self) -> RowReader:
        """What reads raw rows, from a file or as mappings.

        Raises:
            ConfigError: this version of hotrow does not have the schema's format.
            SchemaMismatchError: the format's columns are not those of the schema, or no rows can carry them.
        """
        try:
            return reader_of(self.schema)
        except SchemaMismatchError as error:
            raise SchemaMismatchError(f"{self.path}: {error}") from error

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the K labels that are predicted, the main one first."""
        return self.config.tasks

    def block(self, rows: Sequence[Mapping[str, Any]]) -> RawBlock:
        """Read rows given as mappings of column names to raw values; absent or None is missing.

        Raises:
            DataError: names the row and column of a value that the format does not allow.
        """
        return self.format.block_from_rows(rows)

    def score(self, block: RawBlock) -> NDArray[np.float32]:
        """Return the probability of each row's main label, the click; may be called from several threads.

        Args:
            block: B raw rows; labels, if any, are not looked at.

        Returns:
            (B,) float32 in [0, 1].
        """
        return self.score_tasks(block)[:, 0]

    def score_tasks(self, block: RawBlock) -> NDArray[np.float32]:
        """Return the probability of each label, the main one first; may be called from several threads.

        Args:
            block: B raw rows; labels, if any, are not looked at.

        Returns:
            (B, K) float32 in [0, 1].
        """
        return self.score_encoded(self.encode(block))

    def encode(self, block: RawBlock) -> EncodedBlock:
        """Return raw rows as the model takes them."""
        return self.encoder.encode(block)

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        """Return the probability of each label, the main one first; may be called from several threads.

        Args:
            block: B encoded rows; labels, if any, are not looked at.

        Returns:
            (B, K) float32 in [0, 1].

        Raises:
            IndexError: an id that its table has no row for.
        """
        rows = len(block.dense)
        scores = np.empty((rows, len(self.config.tasks)), dtype=np.float32)
        start = 0
        while start < rows:
            stop = min(start + BATCH_ROWS, rows)
            if block.lists:
                listed = np.cumsum(sum(part.lengths[start:stop].astype(np.int64) for part in block.lists))
                full = start + int(np.searchsorted(listed, BATCH_LISTED, side="right"))
                stop = min(max(full, start + 1), stop)
            scores[start:stop] = self._score_batch(block.take(slice(start, stop)))
            start = stop
        return scores

    def _score_batch(self, block: EncodedBlock) -> NDArray[np.float32]:
        with torch.inference_mode():
            batch = Batch(
                torch.from_numpy(block.dense),
                torch.from_numpy(block.ids),
                lists=to_jagged([block.lists]) if block.lists else None,
            ).to(self.device)
            scores: NDArray[np.float32] = sigmoid(self.correction(self.model(batch))).cpu().numpy()
        return scores.reshape(len(block.dense), -1)
