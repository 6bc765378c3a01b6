"""The parts of a schema file: the options of a feature, of csv, of times and of the split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from hotrow.config import did_you_mean
from hotrow.data.dataset import SPLITS
from hotrow.data.formats._values import EXPECTED_KEY, read_keys
from hotrow.data.schema import RESERVED_IDS, KeyType, Transform
from hotrow.errors import ConfigError
from hotrow.types import Pooling

Kind = Literal["dense", "categorical", "bag", "sequence"]
Delimiter = Literal["auto", ",", "\t", ";", "|"]
DELIMITERS = (",", "\t", ";", "|")
TimeKind = Literal["number", "datetime"]
SplitBy = Literal["random", "time", "group", "column", "rows", "files"]

_VOCABULARY: tuple[str, ...] = ("key_type", "min_count", "hash_rows", "max_rows")
_LIST = (*_VOCABULARY, "of", "separator", "max_length", "pooling")
_OPTIONS: Mapping[Kind, tuple[str, ...]] = {
    "dense": ("transform", "default"),
    "categorical": (*_VOCABULARY, "default"),
    "bag": (*_LIST, "weights"),
    "sequence": _LIST,
}


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """One feature, as a schema file has it; None where the file says nothing.

    Attributes:
        kind: ``dense``: a number; ``categorical``: an id; ``bag``: ids in no order; ``sequence``: ids, the
            oldest first.
        transform: of a dense feature, see ``DenseFeature``.
        default: what an empty cell counts as: a number of a dense feature, an id of a categorical one.
        key_type: ``integer`` or ``text``, what ids are.
        min_count: ids seen fewer times in the training rows count as unseen.
        hash_rows: hash ids to a table of so many rows.
        max_rows: most rows of the table; the rarest ids count as unseen.
        of: the categorical feature whose ids a list has, and whose table it shares.
        separator: one character between the values of a list in one cell of csv.
        max_length: longer lists keep their last ids.
        pooling: of a list, ``mean`` or ``sum``.
        weights: the column with a weight for each id of a bag.
    """

    kind: Kind
    transform: Transform | None = None
    default: int | float | str | None = None
    key_type: Literal["integer", "text"] | None = None
    min_count: int | None = None
    hash_rows: int | None = None
    max_rows: int | None = None
    of: str | None = None
    separator: str | None = None
    max_length: int | None = None
    pooling: Pooling | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        allowed = _OPTIONS[self.kind]
        refused = _VOCABULARY if self.of else ("min_count", "max_rows") if self.hash_rows is not None else ()
        for name in dict.fromkeys(name for names in _OPTIONS.values() for name in names):
            value = getattr(self, name)
            if value is None:
                continue
            if name not in allowed:
                raise ConfigError(name, value, f"no such option of a {self.kind} feature")
            if name in refused:
                expected = f"nothing: {self.of} says it" if self.of else "nothing beside hash_rows"
                raise ConfigError(name, value, expected)
        for name in ("min_count", "max_length"):
            value = getattr(self, name)
            if value is not None and not 1 <= value < 2**31:
                raise ConfigError(name, value, f"1 to {2**31 - 1}")
        for name in ("hash_rows", "max_rows"):
            value = getattr(self, name)
            if value is not None and not RESERVED_IDS < value < 2**31:
                raise ConfigError(name, value, f"{RESERVED_IDS + 1} to {2**31 - 1} rows")
        _check_separator(self.separator)
        self._check_default()

    def _check_default(self) -> None:
        if self.default is None:
            return
        if self.kind == "dense":
            if isinstance(self.default, str) or not math.isfinite(self.default):
                raise ConfigError("default", self.default, "a finite number")
        elif read_keys([self.default], self.key_type_or_text)[1][0] or self.default == "":
            expected = EXPECTED_KEY[self.key_type_or_text].removesuffix(" or null")
            raise ConfigError("default", self.default, expected)

    @property
    def key_type_or_text(self) -> KeyType:
        """How its raw values become keys: as text unless it says otherwise."""
        return self.key_type or "text"


@dataclass(frozen=True, kw_only=True)
class CsvOptions:
    """How cells stand in a file of csv.

    Attributes:
        delimiter: what stands between them; ``auto``: what the first line tells.
        quotes: whether cells may be in quotes.
        columns: of files without a header, the columns in order.
    """

    delimiter: Delimiter = "auto"
    quotes: bool = True
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise ConfigError("csv.columns", name, "each column once")


@dataclass(frozen=True, kw_only=True)
class TimeOptions:
    """When a row was.

    Attributes:
        column: its column; it is no feature unless it is named as one too.
        kind: ``number``, or ``datetime`` as ISO 8601 has it.
    """

    column: str
    kind: TimeKind = "number"


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Which rows are for training, validation and testing.

    Attributes:
        by: ``random``; ``time``: the oldest train; ``group``: whole groups at random; ``column`` says it;
            ``rows``: the first train; ``files``: the last file is validation and test.
        valid: share of the validation rows.
        test: share of the test rows; the others train.
        seed: of what is random.
        column: that tells a row's split, or its group where that is another one than ``group``.
        values: of ``column``: the values that stand for train, valid and test.
    """

    by: SplitBy = "random"
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0
    column: str = ""
    values: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, share in (("valid", self.valid), ("test", self.test)):
            if not 0 < share < 1:
                raise ConfigError(f"split.{name}", share, "a share between 0 and 1")
        if self.valid + self.test >= 1:
            raise ConfigError("split.test", self.test, f"less than {1 - self.valid:g}: some rows must train")
        if self.seed < 0:
            raise ConfigError("split.seed", self.seed, "at least 0")
        if self.by == "column" and not self.column:
            raise ConfigError("split.column", self.column, "the column that tells a row's split")
        if self.column and self.by not in ("column", "group"):
            raise ConfigError("split.column", self.column, f"none where rows are split by {self.by}")
        if self.values and self.by != "column":
            raise ConfigError("split.values", dict(self.values), f"none where rows are split by {self.by}")
        for name in self.values:
            if name not in SPLITS:
                expected = f"train, valid and test{did_you_mean(name, SPLITS)}"
                raise ConfigError(f"split.values.{name}", self.values[name], expected)
        every = [value for values in self.split_values.values() for value in values]
        for value in every:
            if every.count(value) > 1 or not value:
                raise ConfigError("split.values", value, "each value once, none of them empty")

    @property
    def split_values(self) -> dict[str, tuple[str, ...]]:
        """Return the values that stand for each split, in the order of the splits."""
        return {name: tuple(map(str, self.values.get(name, (name,)))) for name in SPLITS}


def _check_separator(separator: str | None) -> None:
    if separator is None:
        return
    if len(separator) != 1 or not separator.isascii() or separator in '"\n\r\0':
        raise ConfigError("separator", separator, "one ASCII character, no quote and no line end")


assert set(get_args(Kind)) == set(_OPTIONS)
