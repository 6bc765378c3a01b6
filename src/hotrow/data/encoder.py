"""Encoding raw rows as models take them, the same when preparing, training and ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.data.hashing import hash_rows, hash_salt
from hotrow.data.raw import MISSING_KEY, EncodedBlock, RawBlock
from hotrow.data.schema import MISSING_ID, RESERVED_IDS, UNSEEN_ID, CategoricalFeature, DenseFeature, Schema
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.errors import SchemaMismatchError
from hotrow.kernels.dispatch import Backend
from hotrow.kernels.id_index import IdIndex

_ROWS_AT_ONCE = 8192  # so many rows of ids are transposed within a core's cache


class FeatureEncoder(Protocol):
    """Maps the keys of one categorical feature to row ids."""

    def encode(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,)."""


class VocabularyEncoder:
    """Row ids from a vocabulary; keys it does not have are ``UNSEEN_ID``.

    Args:
        keys: (K,) the vocabulary's keys in row order.
        backend: of the hash index.
    """

    def __init__(self, keys: NDArray[np.uint64], *, backend: Backend = "auto") -> None:
        self._index = IdIndex(keys, backend=backend)

    def encode(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,)."""
        ids = self._index.lookup(keys)
        is_unseen = ids < 0
        ids += np.int32(RESERVED_IDS)
        np.copyto(ids, UNSEEN_ID, where=is_unseen)
        np.copyto(ids, MISSING_ID, where=keys == MISSING_KEY)
        return ids


class HashEncoder:
    """Row ids by hashing; no key is unseen.

    Args:
        feature: a feature with ``encoding="hash"``.
    """

    def __init__(self, feature: CategoricalFeature) -> None:
        self._salt = hash_salt(feature.name)
        self._rows = feature.rows

    def encode(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row id of each key, (n,)."""
        ids = hash_rows(keys, salt=self._salt, rows=self._rows)
        np.copyto(ids, MISSING_ID, where=keys == MISSING_KEY)
        return ids


class Encoder:
    """Encodes blocks of raw rows by a schema.

    Args:
        schema: which features there are, in column order.
        vocabularies: one for each feature with ``encoding="vocabulary"``, by name.
        backend: of the hash indexes.

    Raises:
        SchemaMismatchError: a vocabulary is missing or has another number of ids than the schema says.
    """

    def __init__(
        self, schema: Schema, vocabularies: dict[str, Vocabulary], *, backend: Backend = "auto"
    ) -> None:
        self.schema = schema
        self._vocabularies = vocabularies
        self._features = [self._feature(feature, backend) for feature in schema.categorical]

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
        names = [feature.name for feature in schema.categorical if feature.encoding == "vocabulary"]
        vocabularies = {name: Vocabulary.load(vocabulary_path(folder, name)) for name in names}
        return cls(schema, vocabularies, backend=backend)

    def save(self, folder: Path) -> None:
        """Write the vocabularies into ``folder``, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, vocabulary in self._vocabularies.items():
            vocabulary.save(vocabulary_path(folder, name))

    def encode(self, block: RawBlock) -> EncodedBlock:
        """Encode rows.

        Args:
            block: raw rows with as many columns as the schema has features.

        Raises:
            SchemaMismatchError: the numbers of columns differ.
        """
        found = (block.dense.shape[1], block.keys.shape[0])
        expected = (len(self.schema.dense), len(self._features))
        if found != expected:
            raise SchemaMismatchError(
                f"rows have {found[0]} dense and {found[1]} categorical columns, "
                f"the schema has {expected[0]} and {expected[1]}"
            )
        ids = np.empty((len(block), len(self._features)), dtype=np.int32)
        for row in range(0, len(block), _ROWS_AT_ONCE):
            rows = slice(row, row + _ROWS_AT_ONCE)
            for column, encoder in enumerate(self._features):
                ids[rows, column] = encoder.encode(block.keys[column, rows])
        return EncodedBlock(encode_dense(block.dense, self.schema.dense), ids, block.labels)

    def _feature(self, feature: CategoricalFeature, backend: Backend) -> FeatureEncoder:
        if feature.encoding == "hash":
            return HashEncoder(feature)
        vocabulary = self._vocabularies.get(feature.name)
        found = None if vocabulary is None else vocabulary.rows
        if vocabulary is None or found != feature.rows:
            raise SchemaMismatchError(
                f"{feature.name}: the schema has {feature.rows} rows, its vocabulary {found or 'is absent'}"
            )
        return VocabularyEncoder(vocabulary.keys, backend=backend)


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
    starts = [at for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    stops = [*starts[1:], len(names)]
    return [(slice(start, stop), names[start]) for start, stop in zip(starts, stops, strict=True)]
