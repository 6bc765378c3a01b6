"""Vocabularies of rows that are in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import covered
from hotrow.data.counting import count_keys
from hotrow.data.encoder import cut_lists
from hotrow.data.raw import MISSING_KEY, RawBlock
from hotrow.data.schema import Schema
from hotrow.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What was counted.

    Attributes:
        schema: with the numbers of rows, digests and mean lengths filled in.
        vocabularies: by the name of the feature that owns it.
        distinct: different ids of each, kept or not.
    """

    schema: Schema
    vocabularies: dict[str, Vocabulary]
    distinct: dict[str, int]


def make_vocabularies(schema: Schema, train: RawBlock, min_count: int | None) -> Vocabularies:
    """Count ids over the training rows and complete the schema.

    Args:
        schema: see ``RawSplits``.
        train: the training rows.
        min_count: of all vocabularies; None for what the features say.
    """
    vocabularies, distinct = {}, {}
    known: dict[str, dict[str, Any]] = {}
    for feature in schema.owners:
        if feature.encoding != "vocabulary":
            continue
        name, wanted = feature.name, feature.min_count if min_count is None else min_count
        keys = _keys_of(name, schema, train)
        found = count_keys(partial(iter, keys), min_count=wanted)
        made = vocabularies[name] = Vocabulary(found.keys, found.counts)
        distinct[name] = found.distinct
        known[name] = {"rows": made.rows, "vocabulary": made.digest(), "min_count": wanted}
    complete = replace(
        schema,
        categorical=tuple(replace(feature, **known.get(feature.name, {})) for feature in schema.categorical),
        lists=tuple(
            replace(
                listed,
                **known.get(listed.of or listed.name, {}),
                mean_length=float(cut_lists(rows, listed.max_length).lengths.mean()),
            )
            for listed, rows in zip(schema.lists, train.lists, strict=True)
        ),
    )
    return Vocabularies(complete, vocabularies, distinct)


def _keys_of(name: str, schema: Schema, train: RawBlock) -> list[NDArray[np.uint64]]:
    """Return the keys that go into one vocabulary: of the feature itself and of lists that share it."""
    found = []
    for feature, column in zip(schema.categorical, train.keys, strict=True):
        if feature.name == name:
            found.append(column[column != MISSING_KEY])
    for listed, rows in zip(schema.lists, train.lists, strict=True):
        if (listed.of or listed.name) == name:
            cut = cut_lists(rows, listed.max_length)
            found.append(rows.keys[covered(cut.starts, cut.lengths)])
    return found
