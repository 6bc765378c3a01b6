"""What the columns of a table are taken for, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hotrow.data.formats.description import is_feature_name
from hotrow.data.formats.guess._facts import Facts

LABELS = (
    *("click", "clicked", "clk", "label", "target", "y", "like", "liked", "conversion", "converted", "cvr"),
    *("purchase", "purchased", "buy", "bought", "install", "installed"),
)
"""Names of labels, case and a leading ``is_`` aside; the main one first."""

TIMES = (
    *("time", "timestamp", "time_stamp", "ts", "datetime", "date_time", "date", "event_time", "unix_time"),
    *("unixtime", "created_at", "when"),
)
QUERIES = ("query_id", "queryid", "query", "qid", "search_id", "session_id", "session", "impression_id")
USERS = ("user_id", "userid", "user", "uid", "customer_id", "visitor_id", "member_id")
ROWS = ("", "id", "index", "row", "row_id", "rowid", "unnamed: 0", "__index_level_0__")

_ID = re.compile(
    r"(?i:(?:^|_)(?:id|ids|code|key|type|cat|category|zip|hash|user|item|ad|campaign|brand|product|movie|shop|store"
    r"|site|app|page|city|country|region|state|device|channel|os|hour|weekday|gender|c\d+)(?:_|$))|[a-z]I[dD]s?$"
)
_HISTORY = re.compile(r"hist|seq|past|prev|recent|last|viewed|clicked|bought")
_AFFIXES = re.compile(
    r"^(?:hist|history|past|prev|previous|recent|last|seq)_|_(?:hist|history|seq|sequence|list)$|s$"
)
_FEW, _EACH = 32, 10  # so many different whole numbers are ids if each occurs so often on average
_LARGE = 10**9  # whole numbers that reach it are ids


@dataclass(frozen=True, slots=True)
class Role:
    """What a column is taken for.

    Attributes:
        facts: of the column.
        told: label, time, group, ignored or the kind of its feature; for people.
        options: of its feature; empty if it is none.
        because: why it is ignored.
    """

    facts: Facts
    told: str
    options: dict[str, Any] = field(default_factory=dict)
    because: str = ""

    @property
    def name(self) -> str:
        """The column's."""
        return self.facts.name


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table are taken for.

    Attributes:
        columns: in the table's order.
        labels: the main one first; empty where none was found.
        time: the column of times, and its kind; None where there is none.
        group: the column of users or queries; empty where there is none.
    """

    columns: tuple[Role, ...]
    labels: tuple[str, ...]
    time: tuple[str, str] | None
    group: str


def guess_roles(facts: Sequence[Facts]) -> Roles:
    """Guess what columns are; see docs/data.md for the rules."""
    labels = _labels(facts)
    times = [each for each in facts if each.name not in labels and _is_time(each)]
    time = min(times, key=lambda each: (each.looks != "datetime", _rank(each.name, TIMES)), default=None)
    group = _group(facts)
    roles = []
    for each in facts:
        if each.name in labels:
            role = Role(each, "label")
        elif each is time:
            role = Role(each, "time")
        elif each.name == group and _plain(group) in QUERIES:
            role = Role(each, "group")
        else:
            role = _feature(each)
        roles.append(role)
    kind = "" if time is None else "datetime" if time.looks == "datetime" else "number"
    return Roles(
        columns=tuple(_sharing(role, roles) for role in roles),
        labels=labels,
        time=None if time is None else (time.name, kind),
        group=group,
    )


def _labels(facts: Sequence[Facts]) -> tuple[str, ...]:
    """Return the columns of 0 and 1 that are called like labels, or the only column of 0 and 1."""
    binary = [each.name for each in facts if each.is_binary]
    named = [name for name in binary if _plain(name) in LABELS]
    if not named and len(binary) == 1:
        return (binary[0],)
    return tuple(sorted(named, key=lambda name: _rank(name, LABELS)))


def _group(facts: Sequence[Facts]) -> str:
    """Return the column of queries, or else of users, in which values occur again."""
    known = (*QUERIES, *USERS)
    found = [each.name for each in facts if _plain(each.name) in known and each.different < each.present]
    return min(found, key=lambda name: _rank(name, known), default="")


def _is_time(facts: Facts) -> bool:
    return facts.looks == "datetime" or (facts.looks in ("whole", "number") and _plain(facts.name) in TIMES)


def _feature(facts: Facts) -> Role:
    """Return the feature that a column is, or why it is none."""
    if facts.looks == "nothing":
        return Role(facts, "ignored", because="has no values")
    if facts.looks in ("other", "datetime"):
        return Role(facts, "ignored", because=f"has {facts.examples[0]}")
    if facts.name.lower() in ROWS and facts.different == facts.present:
        return Role(facts, "ignored", because="numbers the rows")
    if not is_feature_name(facts.name):
        return Role(facts, "ignored", because="has a name that no feature can have; rename it")
    if facts.looks == "list":
        return _list(facts)
    if facts.looks == "text":
        return Role(facts, "categorical", {"kind": "categorical", "key_type": "text"})
    if facts.looks == "whole" and _is_id(facts):
        return Role(facts, "categorical", {"kind": "categorical", "key_type": "integer"})
    is_share = facts.low >= 0 and facts.high <= 1
    return Role(facts, "dense", {"kind": "dense", "transform": "identity" if is_share else "signed_log1p"})


def _list(facts: Facts) -> Role:
    if facts.items not in ("whole", "text", "nothing"):
        return Role(facts, "ignored", because=f"has lists such as {facts.examples[0]}")
    kind = "sequence" if _HISTORY.search(facts.name.lower()) else "bag"
    options = {"kind": kind, "key_type": "integer" if facts.items == "whole" else "text"}
    separator = {} if facts.separator in (None, "|") else {"separator": facts.separator}
    return Role(facts, kind, options | separator)


def _is_id(facts: Facts) -> bool:
    """Whether whole numbers are ids: by their name, because they are few, or large."""
    is_few = facts.different <= _FEW and facts.different * _EACH <= facts.present
    return facts.low >= -1 and (bool(_ID.search(facts.name)) or is_few or facts.high >= _LARGE)


def _sharing(role: Role, roles: Sequence[Role]) -> Role:
    """Let a list share the table of the categorical feature that it is called after."""
    if role.told not in ("bag", "sequence"):
        return role
    name = role.name.lower()
    while (shorter := _AFFIXES.sub("", name)) != name:
        name = shorter
    for other in roles:
        is_same = other.options.get("key_type") == role.options["key_type"]
        if other.told == "categorical" and is_same and other.name.lower() in (name, f"{name}_id"):
            kept = {key: value for key, value in role.options.items() if key != "key_type"}
            return Role(role.facts, role.told, kept | {"of": other.name})
    return role


def _plain(name: str) -> str:
    return name.lower().removeprefix("is_")


def _rank(name: str, known: Sequence[str]) -> int:
    plain = _plain(name)
    return known.index(plain) if plain in known else len(known)
