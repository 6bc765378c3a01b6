"""The schema of a prepared data set: which features there are and how raw values are encoded.

The schema travels from the data set into every run and artifact, so that raw rows are encoded
when ranking exactly as they were for training.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hotrow.config import from_mapping, to_mapping
from hotrow.errors import ConfigError, SchemaMismatchError
from hotrow.types import Inputs, ListInput, ListKind, Pooling

UNSEEN_ID = 0
"""Row id of a categorical value that training never saw, or saw fewer than ``min_count`` times."""

MISSING_ID = 1
"""Row id of an absent categorical value."""

RESERVED_IDS = 2
"""Rows 0 and 1 of every table are taken by ``UNSEEN_ID`` and ``MISSING_ID``."""

Transform = Literal["signed_log1p", "identity"]
Encoding = Literal["vocabulary", "hash"]
KeyType = Literal["hex32", "integer", "text"]
"""How raw values become 64-bit keys: ``hex32``, Criteo's up to 8 hexadecimal digits; ``integer``, whole
numbers of 64 bits; ``text``, a 64-bit hash of the UTF-8 bytes."""


@dataclass(frozen=True, kw_only=True)
class DenseFeature:
    """A numeric feature.

    Attributes:
        name: column name.
        transform: ``signed_log1p`` is sign(x) * log(1 + |x|): the usual log transform, extended
            to negative counters without losing them; ``identity`` keeps the value.
        missing: encoded value of an absent number. The default is one that no counter's logarithm
            takes, so that a model can tell "absent" from 0; facebookresearch/dlrm encodes both as 0.
    """

    name: str
    transform: Transform = "signed_log1p"
    missing: float = -1.0


@dataclass(frozen=True, kw_only=True)
class CategoricalFeature:
    """A single-valued categorical feature.

    Attributes:
        name: column name.
        rows: E, rows of its embedding table: the kept ids plus the two reserved ones.
        encoding: ``vocabulary`` maps kept ids to rows by decreasing frequency; ``hash`` maps
            every id to one of ``rows - 2`` rows.
        key_type: how a raw value becomes a 64-bit key.
        min_count: ids seen fewer times in the training split are ``UNSEEN_ID`` (vocabulary only).
        vocabulary: digest of the kept ids in their order, so that two schemas are the same only when
            a row means the same id in both; empty where ids are hashed.
    """

    name: str
    rows: int
    encoding: Encoding = "vocabulary"
    key_type: KeyType = "hex32"
    min_count: int = 1
    vocabulary: str = ""

    def __post_init__(self) -> None:
        if self.rows < RESERVED_IDS:
            raise ConfigError(f"{self.name}.rows", self.rows, f"at least {RESERVED_IDS}")


@dataclass(frozen=True, kw_only=True)
class ListFeature:
    """A categorical feature of any number of ids a row: a bag, or a sequence in order of time.

    Attributes:
        name: column name.
        kind: ``bag`` or ``sequence`` (oldest first).
        rows: E, rows of the table that its ids are looked up in.
        of: the categorical feature whose vocabulary and table it shares, e.g. the item of a history of
            items; empty for a vocabulary of its own.
        encoding, key_type, min_count, vocabulary: as of a categorical feature; with ``of``, the same
            as that feature's.
        max_length: longer lists keep their last ids (of a sequence: the newest).
        mean_length: ids of a row in the training split, on average.
        pooling: how models pool it where they do.
        weighted: whether each id has a weight.
    """

    name: str
    kind: ListKind
    rows: int
    of: str = ""
    encoding: Encoding = "vocabulary"
    key_type: KeyType = "integer"
    min_count: int = 1
    vocabulary: str = ""
    max_length: int = 250
    mean_length: float = 0.0
    pooling: Pooling = "mean"
    weighted: bool = False

    def __post_init__(self) -> None:
        if self.rows < RESERVED_IDS:
            raise ConfigError(f"{self.name}.rows", self.rows, f"at least {RESERVED_IDS}")
        if self.max_length < 1:
            raise ConfigError(f"{self.name}.max_length", self.max_length, "at least 1")
        if not 0 <= self.mean_length < math.inf:
            raise ConfigError(f"{self.name}.mean_length", self.mean_length, "a finite number of at least 0")


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """How raw rows of a table that a schema file described are written, beyond its features.

    Attributes:
        ignored: columns that may be there and are not read; ``*`` for any.
        columns: of files without a header, their columns in order.
        quotes: whether cells may be in quotes.
        separators: what stands between the values of a list in one cell, by list feature.
        weights: the column that holds a bag's weights, by bag.
        defaults: the id that an absent one counts as, by categorical feature.
    """

    ignored: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    quotes: bool = True
    separators: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schema:
    """All features of a data set, in column order.

    Attributes:
        format: name of the raw log's format, e.g. ``"criteo"``; ``"table"`` for tables with a schema file.
        label: name of the main label's column.
        dense: the N dense features.
        categorical: the F categorical features.
        lists: the M list features.
        more_labels: names of further labels, for models of several tasks.
        group: name of the column whose equal values are rows of one user or query; empty for none.
        layout: how raw rows are written, of tables with a schema file.
    """

    format: str
    label: str
    dense: tuple[DenseFeature, ...]
    categorical: tuple[CategoricalFeature, ...]
    lists: tuple[ListFeature, ...] = ()
    more_labels: tuple[str, ...] = ()
    group: str = ""
    layout: TableLayout | None = None

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.dense]
        names += [feature.name for feature in self.categorical]
        names += [feature.name for feature in self.lists]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError("name", name, "each feature to have a name of its own")
        for feature in self.lists:
            self._check_shared(feature)

    def _check_shared(self, feature: ListFeature) -> None:
        """Check that what a list feature shares with another is there, and the same in both."""
        if not feature.of:
            return
        owner = next((other for other in self.categorical if other.name == feature.of), None)
        if owner is None:
            names = ", ".join(other.name for other in self.categorical) or "none"
            raise ConfigError(f"{feature.name}.of", feature.of, f"a categorical feature (there are: {names})")
        for name in ("rows", "encoding", "key_type", "min_count", "vocabulary"):
            mine, expected = getattr(feature, name), getattr(owner, name)
            if mine != expected:
                raise ConfigError(f"{feature.name}.{name}", mine, f"{expected!r}, as {owner.name} has")

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of each categorical feature's table, in column order."""
        return tuple(feature.rows for feature in self.categorical)

    @property
    def owners(self) -> tuple[CategoricalFeature | ListFeature, ...]:
        """The features with a vocabulary and a table of their own, which list features may share."""
        own: tuple[CategoricalFeature | ListFeature, ...] = self.categorical
        return own + tuple(feature for feature in self.lists if not feature.of)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all features: dense, categorical, lists."""
        names = [feature.name for feature in self.dense]
        names += [feature.name for feature in self.categorical]
        return (*names, *(feature.name for feature in self.lists))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the K labels, the main one first."""
        return (self.label, *self.more_labels)

    def vocabulary_names(self) -> tuple[str, ...]:
        """Return the names of the vocabularies that raw rows are encoded with, each once."""
        return tuple(feature.name for feature in self.owners if feature.encoding == "vocabulary")

    def inputs(self) -> Inputs:
        """Return what a model must know of this schema."""
        names = tuple(feature.name for feature in self.categorical)
        lists = tuple(
            ListInput(
                name=feature.name,
                kind=feature.kind,
                table=feature.of or feature.name,
                rows=feature.rows,
                length=max(1, round(feature.mean_length)),
                pooling=feature.pooling,
            )
            for feature in self.lists
        )
        return Inputs(num_dense=len(self.dense), names=names, rows=self.rows, lists=lists, tasks=self.labels)

    def fingerprint(self) -> str:
        """Return a short digest that two schemas share only when they encode alike."""
        text = json.dumps(self.encoding(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_mapping(self) -> dict[str, Any]:
        """Return the schema as plain JSON types."""
        return to_mapping(self)

    def encoding(self) -> dict[str, Any]:
        """Return what decides how rows are encoded, as plain JSON types; not how raw ones are written."""
        mapping = self.to_mapping()
        layout = mapping.pop("layout")
        return mapping | {"defaults": layout["defaults"]} if layout and layout["defaults"] else mapping

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any], *, where: str) -> Schema:
        """Read a schema; ``where`` names the file in messages.

        Raises:
            ConfigError: a field is unknown, missing or of the wrong type.
        """
        return from_mapping(cls, mapping, where=where)

    def require_same(self, other: Schema, *, this: str, that: str) -> None:
        """Check that two schemas encode alike.

        Raises:
            SchemaMismatchError: names the first difference; ``this`` and ``that`` say whose they are.
        """
        difference = _first_difference(self.encoding(), other.encoding(), "")
        if difference is not None:
            field, mine, theirs = difference
            raise SchemaMismatchError(f"{this} and {that} differ in {field}: {mine!r} against {theirs!r}")


def _first_difference(mine: Any, theirs: Any, field: str) -> tuple[str, object, object] | None:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in mine | theirs:
            found = _first_difference(mine.get(key), theirs.get(key), f"{field}.{key}" if field else key)
            if found is not None:
                return found
        return None
    if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)):
        if len(mine) != len(theirs):
            return f"number of {field} features", len(mine), len(theirs)
        for index, (left, right) in enumerate(zip(mine, theirs, strict=True)):
            label = left.get("name", index) if isinstance(left, dict) else index
            found = _first_difference(left, right, f"{field}.{label}")
            if found is not None:
                return found
        return None
    return None if mine == theirs else (field, mine, theirs)
