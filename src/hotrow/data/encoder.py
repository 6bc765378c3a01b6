"""Encoding raw rows as models take them, the same when preparing, training and ranking."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import stretch
from hotrow.data.hashing import hash_rows, hash_salt
from hotrow.data.raw import MISSING_KEY, EncodedBlock, EncodedList, RawBlock, RawList
from hotrow.data.schema import (
    MISSING_ID,
    RESERVED_IDS,
    UNSEEN_ID,
    CategoricalFeature,
    DenseFeature,
    ListFeature,
    Schema,
)
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.errors import SchemaMismatchError
from hotrow.kernels.dispatch import Backend
from hotrow.kernels.id_index import IdIndex

_AFTER_UNSEEN = np.int32(UNSEEN_ID + 1)
_BEFORE_FIRST = np.int32(RESERVED_IDS - UNSEEN_ID - 1)
_ROWS_AT_ONCE = 8192  # so many rows of ids are transposed within a core's cache


class FeatureEncoder(ABC):
    """Maps the keys of one categorical feature to row ids."""

    @abstractmethod
    def encode_present(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,), anything for missing ones."""

    def encode(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,)."""
        ids = self.encode_present(keys)
        np.copyto(ids, MISSING_ID, where=keys == MISSING_KEY)
        return ids


class VocabularyEncoder(FeatureEncoder):
    """Row ids from a vocabulary; keys it does not have are ``UNSEEN_ID``.

    Args:
        keys: (K,) the vocabulary's keys in row order.
        backend: of the hash index.
    """

    def __init__(self, keys: NDArray[np.uint64], *, backend: Backend = "auto") -> None:
        self._index = IdIndex(keys, backend=backend)

    def encode_present(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,), anything for missing ones."""
        ids = self._index.lookup(keys)
        ids += _AFTER_UNSEEN  # those that are not there were -1
        ids += (ids > UNSEEN_ID) * _BEFORE_FIRST
        return ids


class HashEncoder(FeatureEncoder):
    """Row ids by hashing; no key is unseen.

    Args:
        name: of the feature, which other features hash unlike.
        rows: E.
    """

    def __init__(self, name: str, rows: int) -> None:
        self._salt = hash_salt(name)
        self._rows = rows

    def encode_present(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,), anything for missing ones."""
        return hash_rows(keys, salt=self._salt, rows=self._rows)


class Encoder:
    """Encodes blocks of raw rows by a schema.

    Args:
        schema: which features there are, in column order.
        vocabularies: one for each of ``schema.vocabulary_names()``.
        backend: of the hash indexes.

    Raises:
        SchemaMismatchError: a vocabulary is missing or has another number of ids than the schema says.
    """

    def __init__(
        self, schema: Schema, vocabularies: dict[str, Vocabulary], *, backend: Backend = "auto"
    ) -> None:
        self.schema = schema
        self._vocabularies = vocabularies
        encoders = {feature.name: self._encoder(feature, backend) for feature in schema.owners}
        self._features = [encoders[feature.name] for feature in schema.categorical]
        self._lists = [encoders[feature.of or feature.name] for feature in schema.lists]

    @classmethod
    def load(cls, folder: Path, schema: Schema, *, backend: Backend = "auto") -> Encoder:
        """Read the vocabularies that ``schema`` needs.

        Args:
            folder: holds ``<feature>.arrow`` files.
            schema: the schema they were made for.
            backend: of the hash indexes.

        Raises:
            MissingFileError: a vocabulary is not there.
            DataError: a vocabulary cannot be read.
            SchemaMismatchError: a vocabulary does not fit the schema.
        """
        names = schema.vocabulary_names()
        vocabularies = {name: Vocabulary.load(vocabulary_path(folder, name)) for name in names}
        return cls(schema, vocabularies, backend=backend)

    def save(self, folder: Path) -> None:
        """Write the vocabularies into ``folder``, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, vocabulary in self._vocabularies.items():
            vocabulary.save(vocabulary_path(folder, name))

    def encode(self, block: RawBlock) -> EncodedBlock:
        """Encode rows; lists longer than their ``max_length`` keep their last ids.

        Args:
            block: raw rows with as many columns as the schema has features.

        Raises:
            SchemaMismatchError: the numbers of columns differ, or only one of them has weights.
        """
        self._check(block)
        ids = np.empty((len(block), len(self._features)), dtype=np.int32)
        for row in range(0, len(block), _ROWS_AT_ONCE):
            rows = slice(row, row + _ROWS_AT_ONCE)
            keys = block.keys[:, rows]
            part = np.empty(keys.shape, dtype=np.int32)
            for column, encoder in enumerate(self._features):
                part[column] = encoder.encode_present(keys[column])
            np.copyto(part, MISSING_ID, where=keys == MISSING_KEY)
            ids[rows] = part.T
        lists = zip(block.lists, self.schema.lists, self._lists, strict=True)
        return EncodedBlock(
            dense=encode_dense(block.dense, self.schema.dense),
            ids=ids,
            labels=block.labels,
            lists=tuple(_encode_list(rows, feature, encoder) for rows, feature, encoder in lists),
            groups=block.groups,
        )

    def _check(self, block: RawBlock) -> None:
        found = (block.dense.shape[1], block.keys.shape[0], len(block.lists))
        expected = (len(self.schema.dense), len(self._features), len(self._lists))
        if found != expected:
            kinds = ("{} dense", "{} categorical and {} list columns")
            raise SchemaMismatchError(
                f"rows have {', '.join(kinds).format(*found)}, "
                f"the schema has {', '.join(kinds).format(*expected)}"
            )
        for feature, rows in zip(self.schema.lists, block.lists, strict=True):
            if (rows.weights is not None) != feature.weighted:
                has = ("no weights", "weights") if feature.weighted else ("weights", "no weights")
                raise SchemaMismatchError(f"{feature.name}: rows have {has[0]}, the schema has {has[1]}")

    def _encoder(self, feature: CategoricalFeature | ListFeature, backend: Backend) -> FeatureEncoder:
        if feature.encoding == "hash":
            return HashEncoder(feature.name, feature.rows)
        vocabulary = self._vocabularies.get(feature.name)
        found = None if vocabulary is None else vocabulary.rows
        if vocabulary is None or found != feature.rows:
            raise SchemaMismatchError(
                f"{feature.name}: the schema has {feature.rows} rows, its vocabulary {found or 'is absent'}"
            )
        return VocabularyEncoder(vocabulary.keys, backend=backend)


def _encode_list(rows: RawList, feature: ListFeature, encoder: FeatureEncoder) -> EncodedList:
    """Encode the part of the keys that rows have."""
    rows = cut_lists(rows, feature.max_length)
    kept, starts = stretch(rows.starts, rows.lengths)
    weights = None if rows.weights is None else rows.weights[kept]
    return EncodedList(encoder.encode(rows.keys[kept]), starts, rows.lengths, weights)


def listed_ids(block: RawBlock, schema: Schema) -> NDArray[np.int64]:
    """Return how many ids of list features each row has once its lists are cut, (B,)."""
    counts = np.zeros(len(block), dtype=np.int64)
    for rows, feature in zip(block.lists, schema.lists, strict=True):
        counts += np.minimum(rows.lengths, feature.max_length)
    return counts


def cut_lists(rows: RawList, max_length: int) -> RawList:
    """Return lists of at most ``max_length`` ids: the last ones."""
    lengths = np.minimum(rows.lengths, max_length)
    return replace(rows, starts=rows.starts + (rows.lengths - lengths), lengths=lengths)


def encode_dense(dense: NDArray[np.float64], features: Sequence[DenseFeature]) -> NDArray[np.float32]:
    """Transform raw numbers.

    Args:
        dense: (B, N) float64, NaN where missing.
        features: the N features, in column order.

    Returns:
        (B, N) float32.
    """
    result = np.empty(dense.shape, dtype=np.float32)
    for row in range(0, len(dense), _ROWS_AT_ONCE):
        part = dense[row : row + _ROWS_AT_ONCE]
        for columns, transform in _groups([feature.transform for feature in features]):
            values = part[:, columns]
            if transform == "signed_log1p":
                values = np.copysign(np.log1p(np.abs(values)), values)
            result[row : row + _ROWS_AT_ONCE, columns] = values
    missing = np.array([feature.missing for feature in features], dtype=np.float32)
    np.copyto(result, missing, where=np.isnan(result))
    return result


def _groups(names: Sequence[str]) -> list[tuple[slice, str]]:
    """Return runs of equal neighbours: which columns, and their name."""
    ends = itertools.accumulate(len(list(run)) for _, run in itertools.groupby(names))
    borders = itertools.pairwise((0, *ends))
    return [(slice(start, stop), names[start]) for start, stop in borders]
