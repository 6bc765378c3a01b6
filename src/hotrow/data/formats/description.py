"""The schema file of ``hotrow prepare csv`` and ``parquet``: what the columns of a table are, in TOML.

    label = "click"
    group = "user"
    ignore = ["row"]

    [time]
    column = "seconds"

    [split]
    by = "time"

    [features]
    price = { kind = "dense" }
    user = { kind = "categorical", key_type = "integer", min_count = 5 }
    tags = { kind = "bag", separator = ";" }

docs/data.md says what every key means.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hotrow.config import from_mapping, to_mapping
from hotrow.data.encoder import encode_dense
from hotrow.data.formats._row_lines import LIST_SEPARATOR
from hotrow.data.formats.options import CsvOptions, FeatureOptions, Kind, SplitOptions, TimeOptions
from hotrow.data.schema import (
    RESERVED_IDS,
    CategoricalFeature,
    DenseFeature,
    KeyType,
    ListFeature,
    Schema,
    TableLayout,
)
from hotrow.data.splits import SplitRule
from hotrow.errors import ConfigError, DataError, MissingFileError

FORMAT = "table"
"""``Schema.format`` of what a schema file describes: csv and parquet of one table give one data set."""

_MAX_NAME_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class _File:
    """All of a schema file but the features."""

    label: str | tuple[str, ...]
    group: str = ""
    ignore: tuple[str, ...] = ()
    min_count: int = 1
    csv: CsvOptions = field(default_factory=CsvOptions)
    time: TimeOptions | None = None
    split: SplitOptions = field(default_factory=SplitOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.min_count < 2**31:
            raise ConfigError("min_count", self.min_count, f"1 to {2**31 - 1}")
        if self.split.by == "time" and self.time is None:
            raise ConfigError("split.by", "time", "another split, or [time] with the column of times")
        if self.split.by == "group" and not (self.group or self.split.column):
            raise ConfigError("split.by", "group", "another split, or group or split.column to name a column")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a schema file says.

    Attributes:
        path: the file, for messages.
        labels: label columns, the main one first.
        features: by column.
        group, ignore, csv, time, split: see the file's parts.
        min_count: of features that do not say their own.
    """

    path: Path
    labels: tuple[str, ...]
    features: Mapping[str, FeatureOptions]
    group: str
    ignore: tuple[str, ...]
    min_count: int
    csv: CsvOptions
    time: TimeOptions | None
    split: SplitOptions

    @classmethod
    def load(cls, path: Path) -> Description:
        """Read a schema file.

        Raises:
            MissingFileError: there is no such file.
            DataError: it is no TOML.
            ConfigError: a key is unknown, missing, or does not fit; names file and key.
        """
        mapping = _read_toml(path)
        features = mapping.pop("features", None)
        if not isinstance(features, dict) or not features:
            raise ConfigError(f"{path}: features", features, "a table [features] with at least one feature")
        whole = from_mapping(_File, mapping, where=f"{path}: ")
        options = {}
        for name, value in features.items():
            where = f"{path}: features.{name}"
            if not isinstance(value, dict):
                raise ConfigError(where, value, 'a table such as { kind = "categorical" }')
            if not is_feature_name(name):
                expected = (
                    f"no '/', no dot at its beginning, no control characters, 1 to {_MAX_NAME_BYTES} bytes"
                )
                raise ConfigError(where, name, f"a feature's name with {expected}; rename the column")
            options[name] = from_mapping(FeatureOptions, value, where=where)
        found = cls(
            path=path,
            labels=(whole.label,) if isinstance(whole.label, str) else whole.label,
            features=options,
            group=whole.group,
            ignore=whole.ignore,
            min_count=whole.min_count,
            csv=whole.csv,
            time=whole.time,
            split=whole.split,
        )
        found._check()
        return found

    @cached_property
    def schema(self) -> Schema:
        """The schema of the data set; what only its rows tell is not filled in."""
        return Schema(
            format=FORMAT,
            label=self.labels[0],
            more_labels=self.labels[1:],
            dense=tuple(_dense(name, options) for name, options in self._of("dense")),
            categorical=tuple(self._categorical(name, options) for name, options in self._of("categorical")),
            lists=tuple(self._list(name, options) for name, options in self._of("bag", "sequence")),
            group=self.group,
            layout=TableLayout(
                ignored=tuple(dict.fromkeys((*self.ignore, *self._unread()))),
                columns=self.csv.columns,
                quotes=self.csv.quotes,
                separators={
                    name: options.separator or LIST_SEPARATOR for name, options in self._of("bag", "sequence")
                },
                weights={name: options.weights for name, options in self._of("bag") if options.weights},
                defaults={
                    name: str(options.default)
                    for name, options in self._of("categorical")
                    if options.default is not None
                },
            ),
        )

    @property
    def caps(self) -> dict[str, int]:
        """Most rows of the tables that have such a bound."""
        return {name: options.max_rows for name, options in self.features.items() if options.max_rows}

    @property
    def rule(self) -> SplitRule | None:
        """How rows are split; None: by files."""
        split = self.split
        if split.by == "files":
            return None
        return SplitRule(by=split.by, valid=split.valid, test=split.test, seed=split.seed)

    @property
    def split_column(self) -> str:
        """The column that rows are split by; empty where it is none."""
        if self.split.by == "time":
            assert self.time is not None
            return self.time.column
        return self.split.column or (self.group if self.split.by == "group" else "")

    @property
    def columns(self) -> dict[str, str]:
        """All columns that must be there, each with what says so."""
        found = dict.fromkeys(self.labels, "label")
        found |= {name: f"features.{name}" for name in self.features}
        found |= {
            options.weights: f"features.{name}.weights"
            for name, options in self.features.items()
            if options.weights
        }
        extra = {
            "group": self.group,
            "time.column": self.time.column if self.time else "",
            "split.column": self.split.column,
        }
        return {name: key for key, name in extra.items() if name} | found

    def to_mapping(self) -> dict[str, Any]:
        """Return what the file says as plain JSON types; defaults may be there or left out."""
        return to_mapping(
            {part.name: getattr(self, part.name) for part in fields(self) if part.name != "path"}
        )

    def key_type(self, column: str) -> KeyType:
        """Return how the values of a column become keys; as text where it is no feature."""
        options = self.features.get(column)
        return options.key_type_or_text if options is not None and options.kind == "categorical" else "text"

    def _of(self, *kinds: Kind) -> Iterator[tuple[str, FeatureOptions]]:
        return ((name, options) for name, options in self.features.items() if options.kind in kinds)

    def _unread(self) -> list[str]:
        """Return the columns that only preparing looks at."""
        times = [self.time.column] if self.time else []
        return [name for name in (*times, self.split.column) if name and name not in self.features]

    def _categorical(self, name: str, options: FeatureOptions) -> CategoricalFeature:
        return CategoricalFeature(name=name, **self._vocabulary(options))

    def _list(self, name: str, options: FeatureOptions) -> ListFeature:
        assert options.kind in ("bag", "sequence")
        own = {key: getattr(options, key) for key in ("max_length", "pooling")}
        return ListFeature(
            name=name,
            kind=options.kind,
            of=options.of or "",
            weighted=options.weights is not None,
            **self._vocabulary(self.features[options.of] if options.of else options),
            **{key: value for key, value in own.items() if value is not None},
        )

    def _vocabulary(self, options: FeatureOptions) -> dict[str, Any]:
        hashed = options.hash_rows is not None
        return {
            "rows": options.hash_rows or RESERVED_IDS,
            "encoding": "hash" if hashed else "vocabulary",
            "key_type": options.key_type_or_text,
            "min_count": 1 if hashed else options.min_count or self.min_count,
        }

    def _check(self) -> None:
        """Refuse what does not go together.

        Raises:
            ConfigError: names the key.
        """
        where = f"{self.path}: "
        if not self.labels or not all(self.labels):
            raise ConfigError(
                f"{where}label", list(self.labels), "the name of a column of 0 and 1, or several"
            )
        for name in self.labels:
            if self.labels.count(name) > 1:
                raise ConfigError(f"{where}label", name, "each label once")
            if name in self.features:
                raise ConfigError(f"{where}label", name, "no column that is a feature")
        for name, key in self.columns.items():
            if name in self.ignore:
                raise ConfigError(f"{where}ignore", name, f"no column that {key} names")
        categorical = dict(self._of("categorical"))
        for name, options in self.features.items():
            key = f"{where}features.{name}"
            if options.weights in self.features or options.weights in self.labels:
                raise ConfigError(f"{key}.weights", options.weights, "a column that is nothing else")
            if options.of is not None and options.of not in categorical:
                known = ", ".join(categorical) or "none"
                raise ConfigError(f"{key}.of", options.of, f"a categorical feature (there are: {known})")
            if options.separator == self.csv.delimiter and not self.csv.quotes:
                raise ConfigError(f"{key}.separator", options.separator, "another one than csv.delimiter")
        if self.csv.columns:
            for name, key in self.columns.items():
                if name not in self.csv.columns:
                    raise ConfigError(f"{where}csv.columns", list(self.csv.columns), f"{name} too ({key})")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(path, "a schema file; hotrow prepare csv FILE --guess writes one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(path, f"is no TOML ({error})") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error


def is_feature_name(name: str) -> bool:
    """Whether a feature can be called so: its vocabulary is a file of that name."""
    size = len(name.encode("utf-8", "surrogatepass"))
    return 0 < size <= _MAX_NAME_BYTES and name.isprintable() and "/" not in name and not name.startswith(".")


def _dense(name: str, options: FeatureOptions) -> DenseFeature:
    feature = DenseFeature(name=name, transform=options.transform or "signed_log1p")
    if options.default is None:
        return feature
    default = encode_dense(np.array([[options.default]], dtype=np.float64), [feature])
    return DenseFeature(name=name, transform=feature.transform, missing=float(default[0, 0]))
