"""What the values of one column look like."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Looks = Literal["nothing", "whole", "number", "datetime", "text", "list", "other"]

_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_CODE = re.compile(r"0\d+")  # digits that a number would not have
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SEPARATORS = ("|", ";", ",", " ")
_LISTED_SHARE = 0.1
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """A column of a sample.

    Attributes:
        name: of the column.
        looks: what all its values are.
        present: how many are not missing.
        different: how many different ones there are.
        low, high: of numbers; 0 of others.
        separator: what stands between the values of a list in one cell, of csv.
        items: of lists: what their values are.
        examples: the first different values.
    """

    name: str
    looks: Looks
    present: int
    different: int
    low: float
    high: float
    separator: str | None
    items: Looks
    examples: tuple[str, ...]

    @property
    def is_binary(self) -> bool:
        """Whether all values are 0 or 1, and both occur."""
        return self.looks == "whole" and self.different == 2 and (self.low, self.high) == (0, 1)


def facts_of(name: str, values: Sequence[Any], *, typed: bool) -> Facts:
    """Look at a column.

    Args:
        name: of the column.
        values: None where missing.
        typed: whether values have their types; otherwise all are text.
    """
    present = [value for value in values if value is not None and value != "" and value == value]
    looks = _looks(present, typed=typed)
    separator = _separator(present) if looks == "text" and not typed else None
    items: Looks = "nothing"
    if separator is not None:
        looks = "list"
        items = _looks([item for cell in present for item in cell.split(separator)], typed=False)
    elif looks == "list":
        items = _looks([item for each in present for item in each if item is not None], typed=True)
    counts = Counter(map(repr, present))
    numbers = [float(value) for value in present] if looks in ("whole", "number") else [0.0]
    return Facts(
        name=name,
        looks=looks,
        present=len(present),
        different=len(counts),
        low=min(numbers),
        high=max(numbers),
        separator=separator,
        items=items,
        examples=tuple(list(counts)[:_EXAMPLES]),
    )


def _looks(values: Iterable[Any], *, typed: bool) -> Looks:
    """Return what all values are."""
    found = {_of_type(value) if typed else _of_text(value) for value in values}
    if not found:
        return "nothing"
    if found <= {"whole", "number"}:
        return "number" if "number" in found else "whole"
    if len(found) == 1:
        return found.pop()
    return "text" if found <= {"whole", "number", "datetime", "text"} else "other"


def _of_text(text: str) -> Looks:
    if _WHOLE.fullmatch(text):
        return "whole"
    if _NUMBER.fullmatch(text) and not _CODE.fullmatch(text):
        return "number" if math.isfinite(float(text)) else "text"
    return "datetime" if _is_time(text) else "text"


def _of_type(value: Any) -> Looks:
    kinds: tuple[tuple[Any, Looks], ...] = (
        (int, "whole"),
        ((float, Decimal), "number"),
        ((datetime, date), "datetime"),
        (list, "list"),
    )
    if isinstance(value, str):
        return "datetime" if _is_time(value) else "text"
    return next((looks for kind, looks in kinds if isinstance(value, kind)), "other")


def _is_time(text: str) -> bool:
    if not _DATE.match(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _separator(cells: Sequence[str]) -> str | None:
    """Return what stands between the values of lists, if the cells are some.

    A tenth of them must have it, with something between any two. ``|`` may stand between anything, others
    only between words, a space only between whole numbers.
    """
    for separator in _SEPARATORS:
        if sum(separator in cell for cell in cells) < _LISTED_SHARE * len(cells):
            continue
        items = {item for cell in cells for item in cell.split(separator)}
        is_word = _WHOLE.fullmatch if separator == " " else _is_word
        if "" not in items and (separator == "|" or all(map(is_word, items))):
            return separator
    return None


def _is_word(text: str) -> bool:
    return not any(letter.isspace() for letter in text)
