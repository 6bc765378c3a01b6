"""Results as Markdown: a list of rows becomes a table of its own, all else one table of two columns."""

from __future__ import annotations

from collections.abc import Mapping


def markdown(result: Mapping[str, object]) -> list[str]:
    """Return the lines of a suite's result."""
    tables = {name: rows for name, rows in result.items() if _is_table(rows)}
    figures = _flat({name: value for name, value in result.items() if name not in tables})
    lines = _table(("what", "figure"), [(name, _shown(value)) for name, value in figures.items()])
    for title, rows in tables.items():
        assert isinstance(rows, list)
        columns = tuple(dict.fromkeys(column for row in rows for column in row))
        cells = [tuple(_shown(row.get(column, "")) for column in columns) for row in rows]
        lines += ["", f"## {title}", "", *_table(columns, cells)]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    rules = ("---", *("---:" for _ in columns[1:]))
    return [f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows)]


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Flatten nested results to dotted names."""
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list):
        entries = {str(index): item for index, item in enumerate(value)}.items()
    else:
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, item in entries:
        flat |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
