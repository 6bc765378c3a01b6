"""A first version of a schema file, guessed from the first rows of a table, for a person to look through.

The rules are in ``_roles``; docs/data.md tells them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hotrow.data.formats import DescribedFormat, find_format
from hotrow.data.formats.guess._facts import facts_of
from hotrow.data.formats.guess._roles import guess_roles
from hotrow.data.formats.guess._text import schema_text
from hotrow.errors import ConfigError, OutputExistsError
from hotrow.files import atomic_file

__all__ = ["GUESSED_ROWS", "GuessReport", "guess_schema"]

GUESSED_ROWS = 10_000
_MANY_ROWS = 100_000  # from which on rare ids are left out, as of logs
_MIN_COUNT, _MIN_COUNT_OF_MANY = 2, 10


@dataclass(frozen=True, kw_only=True)
class GuessReport:
    """What was guessed.

    Attributes:
        schema: the file that was written.
        rows: how many rows were looked at.
        label: the guessed labels, the main one first; empty where none was found.
        columns: what each column is taken for.
    """

    schema: str
    rows: int
    label: tuple[str, ...]
    columns: dict[str, str]


def guess_schema(
    format_name: str, sources: Sequence[Path], out: Path, *, overwrite: bool = False
) -> GuessReport:
    """Write a schema file for tables of csv or Parquet.

    Args:
        format_name: ``csv`` or ``parquet``.
        sources: the files; the first one is looked at.
        out: the schema file.
        overwrite: replace a file that is there.

    Raises:
        ConfigError: the format needs no schema file, or there is no source.
        MissingFileError: the first source is not there.
        DataError: it cannot be read, or has no rows.
        OutputExistsError: ``out`` is there and is not to be replaced.
    """
    found = find_format(format_name)
    if not isinstance(found, DescribedFormat):
        raise ConfigError("--guess", format_name, "csv or parquet; other formats know their columns")
    if not sources:
        raise ConfigError("sources", [], "at least one file")
    if out.exists() and not overwrite:
        raise OutputExistsError(out, "choose another file or pass --overwrite")
    sample = found.sample(sources[0], GUESSED_ROWS)
    facts = [facts_of(name, values, typed=sample.typed) for name, values in sample.columns.items()]
    roles = guess_roles(facts)
    is_large = sample.rows / max(sample.share, 1e-9) >= _MANY_ROWS
    text = schema_text(
        roles,
        sample,
        min_count=_MIN_COUNT_OF_MANY if is_large else _MIN_COUNT,
        made_from=f"hotrow prepare {format_name} {sources[0].name} --guess",
    )
    with atomic_file(out) as partial:
        partial.write_text(text, encoding="utf-8")
    columns = {role.name: role.told for role in roles.columns}
    return GuessReport(schema=str(out), rows=sample.rows, label=roles.labels, columns=columns)
