"""Third pass of ``prepare``: each vocabulary, and the keys of the features that use it turned into ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotrow.config import to_mapping
from hotrow.data._journal import Journal
from hotrow.data.counting import MAX_DISTINCT, count_keys
from hotrow.data.encoder import FeatureEncoder, HashEncoder, VocabularyEncoder
from hotrow.data.report import FeatureSummary
from hotrow.data.schema import (
    MISSING_ID,
    RESERVED_IDS,
    UNSEEN_ID,
    CategoricalFeature,
    ListFeature,
    Schema,
)
from hotrow.data.stage import Stage
from hotrow.data.vocabulary import VOCABULARY_FOLDER, Vocabulary, vocabulary_path
from hotrow.progress import progress

_COUNTED_AT_ONCE = 1 << 21  # ids; many, because each time their counts are merged into all before
_ENCODED_AT_ONCE = 1 << 17  # ids; few, to stay in the cache
_ENCODED = "encoded"
_MAX_THREADS = 2  # each may hold the counts of MAX_DISTINCT ids


@dataclass(frozen=True, slots=True)
class Encoded:
    """What encoding has told.

    Attributes:
        schema: with the numbers of rows, digests and mean lengths filled in.
        summaries: of every feature, in column order.
    """

    schema: Schema
    summaries: tuple[FeatureSummary, ...]


def encode_features(
    stage: Stage,
    folder: Path,
    *,
    train: range,
    caps: Mapping[str, int],
    show_progress: bool,
    journal: Journal | None = None,
) -> Encoded:
    """Encode every feature within the stage; the keys there are replaced by ids.

    Args:
        stage: all accepted rows; of its schema ``rows`` is final for hashed features only.
        folder: takes the folder of vocabularies.
        train: the rows that ids are counted over.
        caps: most rows of the tables that have such a bound; the rarest ids are unseen.
        show_progress: report progress on standard error.
        journal: which features were encoded before, and from now on; None: all are, and nothing noted.
    """
    vocabularies = folder / VOCABULARY_FOLDER
    vocabularies.mkdir(exist_ok=True)
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    encode = _Encoding(stage, vocabularies, train, caps)
    owners = stage.schema.owners
    done = _Features()
    before = None if journal is None else journal.get(_ENCODED)
    if before is not None:
        done = msgspec.convert(before, _Features)
        encode.drop_keys(done)
    left = [owner for owner in owners if owner.name not in done.summaries]
    done_before = len(owners) - len(left)
    with (
        progress("encode", len(owners), "features", completed=done_before, show=show_progress) as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        for part in pool.map(encode, left):
            done.categorical.update(part.categorical)
            done.lists.update(part.lists)
            done.summaries.update(part.summaries)
            if journal is not None:
                journal.note(_ENCODED, to_mapping(done))
            encode.drop_keys(part)
            bar.advance(1)
    schema = stage.schema
    complete = replace(
        schema,
        categorical=tuple(done.categorical[feature.name] for feature in schema.categorical),
        lists=tuple(done.lists[feature.name] for feature in schema.lists),
    )
    dense = {feature.name: FeatureSummary(name=feature.name, kind="dense") for feature in schema.dense}
    summaries = dense | done.summaries
    return Encoded(complete, tuple(summaries[name] for name in schema.columns))


@dataclass(frozen=True)
class _Features:
    """Features that were encoded, and what is told of them, by name."""

    categorical: dict[str, CategoricalFeature] = field(default_factory=dict)
    lists: dict[str, ListFeature] = field(default_factory=dict)
    summaries: dict[str, FeatureSummary] = field(default_factory=dict)


class _Encoding:
    """Encodes a feature with a table of its own, and the lists that share it.

    Args:
        stage: all accepted rows.
        vocabularies: folder that takes them.
        train: the rows that ids are counted over.
        caps: most rows of tables.
    """

    def __init__(self, stage: Stage, vocabularies: Path, train: range, caps: Mapping[str, int]) -> None:
        self._stage = stage
        self._vocabularies = vocabularies
        self._train = train
        self._caps = caps

    def __call__(self, owner: CategoricalFeature | ListFeature) -> _Features:
        schema = self._stage.schema
        columns = [at for at, feature in enumerate(schema.categorical) if feature.name == owner.name]
        lists = [at for at, feature in enumerate(schema.lists) if (feature.of or feature.name) == owner.name]
        encoder: FeatureEncoder
        known: dict[str, Any] = {}
        if owner.encoding == "hash":
            distinct, encoder = None, HashEncoder(owner.name, owner.rows)
        else:
            vocabulary, distinct = self._make_vocabulary(owner, columns, lists)
            encoder = VocabularyEncoder(vocabulary.keys)
            known = {"rows": vocabulary.rows, "vocabulary": vocabulary.digest()}
        found = _Features()
        for at in columns:
            feature = replace(schema.categorical[at], **known)
            found.categorical[feature.name] = feature
            found.summaries[feature.name] = self._encode_column(at, feature, encoder, distinct)
        for at in lists:
            listed = replace(schema.lists[at], **known, mean_length=self._mean_length(at))
            found.lists[listed.name] = listed
            found.summaries[listed.name] = self._encode_list(at, listed, encoder, distinct)
        return found

    def drop_keys(self, encoded: _Features) -> None:
        """Remove the keys of features whose ids are written."""
        schema = self._stage.schema
        for at, feature in enumerate(schema.categorical):
            if feature.name in encoded.categorical:
                self._stage.drop_keys(at)
        for at, listed in enumerate(schema.lists):
            if listed.name in encoded.lists:
                self._stage.drop_list_keys(at)

    def _make_vocabulary(
        self, owner: CategoricalFeature | ListFeature, columns: list[int], lists: list[int]
    ) -> tuple[Vocabulary, int]:
        """Count and save a vocabulary; return it, and how many ids were distinct."""
        counts = count_keys(
            partial(self._training_keys, columns, lists),
            min_count=owner.min_count,
            max_distinct=MAX_DISTINCT,
        )
        kept = slice(self._caps[owner.name] - RESERVED_IDS if owner.name in self._caps else None)
        vocabulary = Vocabulary(counts.keys[kept], counts.counts[kept])
        vocabulary.save(vocabulary_path(self._vocabularies, owner.name))
        return vocabulary, counts.distinct

    def _training_keys(self, columns: list[int], lists: list[int]) -> Iterator[NDArray[Any]]:
        """Yield the keys that are counted together."""
        for at in columns:
            for start, stop in _pieces(self._train, _COUNTED_AT_ONCE):
                yield self._stage.present_keys(at, start, stop)
        for at in lists:
            place = self._stage.listed(at, self._train.start, self._train.stop)
            for first, last in _pieces(place, _COUNTED_AT_ONCE):
                yield self._stage.list_keys(at, first, last)

    def _encode_column(
        self, at: int, feature: CategoricalFeature, encoder: FeatureEncoder, distinct: int | None
    ) -> FeatureSummary:
        """Write a feature's ids."""
        stage, unseen, missing = self._stage, 0, 0
        with stage.ids_writer(at) as stream:
            for start, stop in _pieces(range(stage.rows), _ENCODED_AT_ONCE):
                ids = encoder.encode(stage.keys(at, start, stop))
                stream.write(ids.data)
                unseen += int(np.count_nonzero(ids == UNSEEN_ID))
                missing += int(np.count_nonzero(ids == MISSING_ID))
        return FeatureSummary(
            name=feature.name,
            kind="categorical",
            rows=feature.rows,
            encoding=feature.encoding,
            distinct=distinct,
            unseen_share=unseen / stage.rows,
            missing_share=missing / stage.rows,
        )

    def _encode_list(
        self, at: int, feature: ListFeature, encoder: FeatureEncoder, distinct: int | None
    ) -> FeatureSummary:
        """Write a list feature's ids."""
        stage, unseen, empty = self._stage, 0, 0
        place = stage.listed(at, 0, stage.rows)
        with stage.list_ids_writer(at) as stream:
            for first, last in _pieces(place, _ENCODED_AT_ONCE):
                ids = encoder.encode(stage.list_keys(at, first, last))
                stream.write(ids.data)
                unseen += int(np.count_nonzero(ids == UNSEEN_ID))
        for start, stop in _pieces(range(stage.rows), _ENCODED_AT_ONCE):
            empty += int(np.count_nonzero(stage.lengths(at, start, stop) == 0))
        return FeatureSummary(
            name=feature.name,
            kind=feature.kind,
            rows=feature.rows,
            encoding=feature.encoding,
            distinct=distinct,
            unseen_share=unseen / max(len(place), 1),
            missing_share=empty / stage.rows,
            of=feature.of or None,
            mean_length=feature.mean_length,
        )

    def _mean_length(self, at: int) -> float:
        return len(self._stage.listed(at, self._train.start, self._train.stop)) / len(self._train)


def _pieces(places: range, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range into pieces of at most ``size``."""
    for start in range(places.start, places.stop, size):
        yield start, min(start + size, places.stop)
