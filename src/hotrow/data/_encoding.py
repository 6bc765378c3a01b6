"""Third pass of ``prepare``: each categorical feature's vocabulary, and its keys turned into ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.counting import MAX_DISTINCT, count_keys
from hotrow.data.encoder import FeatureEncoder, HashEncoder, VocabularyEncoder
from hotrow.data.report import FeatureSummary
from hotrow.data.schema import MISSING_ID, UNSEEN_ID, CategoricalFeature
from hotrow.data.stage import Stage
from hotrow.data.vocabulary import VOCABULARY_FOLDER, Vocabulary, vocabulary_path
from hotrow.progress import progress

_COUNTED_AT_ONCE = 1 << 21  # rows; many, because each time their counts are merged into all before
_ENCODED_AT_ONCE = 1 << 17  # rows; few, to stay in the cache
_MAX_THREADS = 2  # each may hold the counts of MAX_DISTINCT ids


def encode_features(
    stage: Stage,
    features: Sequence[CategoricalFeature],
    folder: Path,
    *,
    train: range,
    show_progress: bool,
) -> tuple[tuple[CategoricalFeature, ...], tuple[FeatureSummary, ...]]:
    """Encode every feature within the stage; the keys there are replaced by ids.

    Args:
        stage: all accepted rows.
        features: in column order; ``rows`` is final for hashed ones only.
        folder: takes the folder of vocabularies.
        train: the rows that ids are counted over.
        show_progress: report progress on standard error.

    Returns:
        The features with their numbers of rows, and what is told of each.
    """
    vocabularies = folder / VOCABULARY_FOLDER
    vocabularies.mkdir()
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    encode = partial(_encode_feature, stage, vocabularies, train)
    done = []
    with (
        progress("encode", len(features), "features", show=show_progress) as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        for result in pool.map(encode, range(len(features)), features):
            done.append(result)
            bar.advance(1)
    return tuple(feature for feature, _ in done), tuple(summary for _, summary in done)


def _encode_feature(
    stage: Stage, vocabularies: Path, train: range, column: int, feature: CategoricalFeature
) -> tuple[CategoricalFeature, FeatureSummary]:
    encoder: FeatureEncoder
    if feature.encoding == "hash":
        distinct, encoder = None, HashEncoder(feature.name, feature.rows)
    else:
        vocabulary, distinct = _make_vocabulary(stage, vocabularies, train, column, feature)
        encoder = VocabularyEncoder(vocabulary.keys)
        feature = replace(feature, rows=vocabulary.rows, vocabulary=vocabulary.digest())
    unseen, missing = _write_ids(stage, column, encoder)
    summary = FeatureSummary(
        name=feature.name,
        kind="categorical",
        rows=feature.rows,
        encoding=feature.encoding,
        distinct=distinct,
        unseen_share=unseen / stage.rows,
        missing_share=missing / stage.rows,
    )
    return feature, summary


def _make_vocabulary(
    stage: Stage, vocabularies: Path, train: range, column: int, feature: CategoricalFeature
) -> tuple[Vocabulary, int]:
    """Count and save a vocabulary; return it, and how many ids were distinct."""
    found = count_keys(
        partial(_present_keys, stage, column, train),
        min_count=feature.min_count,
        max_distinct=MAX_DISTINCT,
    )
    vocabulary = Vocabulary(found.keys, found.counts)
    vocabulary.save(vocabulary_path(vocabularies, feature.name))
    return vocabulary, found.distinct


def _present_keys(stage: Stage, column: int, rows: range) -> Iterator[NDArray[Any]]:
    for start in range(rows.start, rows.stop, _COUNTED_AT_ONCE):
        yield stage.present_keys(column, start, min(start + _COUNTED_AT_ONCE, rows.stop))


def _write_ids(stage: Stage, column: int, encoder: FeatureEncoder) -> tuple[int, int]:
    """Write a feature's ids and drop its keys; return how many are unseen and missing."""
    unseen = missing = 0
    with stage.ids_writer(column) as stream:
        for start in range(0, stage.rows, _ENCODED_AT_ONCE):
            ids = encoder.encode(stage.keys(column, start, min(start + _ENCODED_AT_ONCE, stage.rows)))
            stream.write(ids.data)
            unseen += int(np.count_nonzero(ids == UNSEEN_ID))
            missing += int(np.count_nonzero(ids == MISSING_ID))
    stage.drop_keys(column)
    return unseen, missing
