"""A schema file as text, with comments for who edits it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hotrow.data.formats.base import Sample
from hotrow.data.formats.guess._roles import Role, Roles

_BARE = re.compile(r"[A-Za-z0-9_-]+")

_HEAD = """\
# Made by `{made_from}` from the first {rows:,} rows ({share:.1%} of the file, about).
# Look through it: what is wrong here is learnt wrong. docs/data.md says what every key means.

# The column of 0 and 1 that is predicted; of several, ["click", "buy"], the first is the main one.
label = {label}

# Rows of one user or query, for figures of rankings within them.
{group}

# Columns that are left alone; "*": all that are not named in this file.
ignore = {ignore}

# Ids seen fewer times in the training rows count as unseen; a feature may have a min_count of its own.
min_count = {min_count}
"""

_SPLIT = """
# by: random; time: the oldest rows train; group: whole groups at random; column: says it (docs/data.md);
# rows: the first ones train; files: the last file is validation and test.
[split]
by = {by}
valid = 0.1
test = 0.1
seed = 0

# kind, and the options that it may have:
#   dense: transform (signed_log1p, identity), default
#   categorical: key_type (text, integer), min_count, max_rows, hash_rows, default
#   bag, sequence (the oldest first): the same but default; of, separator, max_length, pooling; a bag: weights
[features]
"""


def schema_text(roles: Roles, sample: Sample, *, min_count: int, made_from: str) -> str:
    """Write a schema file.

    Args:
        roles: of the columns.
        sample: that they were guessed from.
        min_count: of vocabularies.
        made_from: the command, for the first line.
    """
    labels = roles.labels
    label = toml(labels[0] if len(labels) == 1 else list(labels)) if labels else '""  # none was found'
    parts = [
        _HEAD.format(
            made_from="".join(letter if letter.isprintable() else "?" for letter in made_from),
            rows=sample.rows,
            share=sample.share,
            label=label,
            group=f"group = {toml(roles.group)}" if roles.group else '# group = "user"',
            ignore=_ignored(roles),
            min_count=min_count,
        )
    ]
    if sample.options:
        parts.append(
            "\n[csv]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in sample.options.items())
        )
    if roles.time is not None:
        column, kind = roles.time
        parts.append(f"\n# When a row was.\n[time]\ncolumn = {toml(column)}\nkind = {toml(kind)}\n")
    parts.append(_SPLIT.format(by=toml("time" if roles.time else "random")))
    features = [role for role in roles.columns if role.options]
    lines = [f"{_key(role.name)} = {toml(role.options)}" for role in features]
    width = max(map(len, lines), default=0)
    parts += [f"{line:<{width}}  # {_told(role)}\n" for line, role in zip(lines, features, strict=True)]
    return "".join(parts)


def toml(value: Any) -> str:
    """Write text, numbers, lists and inline tables of them as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml(name)


def _ignored(roles: Roles) -> str:
    """Write the columns that are left alone, each with the reason."""
    ignored = [role for role in roles.columns if role.told == "ignored"]
    if not ignored:
        return "[]"
    lines = [f"    {toml(role.name)},  # {_shown(role.because)}\n" for role in ignored]
    return "[\n" + "".join(lines) + "]"


def _told(role: Role) -> str:
    facts = role.facts
    examples = ", ".join(facts.examples)
    return _shown(f"{facts.different:,} different of {facts.present:,}: {examples}")


def _shown(text: str, limit: int = 100) -> str:
    """Return text that a comment can hold."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= limit else plain[:limit] + "..."
