"""Small pieces of HTML; every text is escaped here, nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --soft: #5b6676; --line: #d5dae1; --back: #ffffff;
  --panel: #f5f7f9; --s0: #1f5fbf; --s1: #c2570c; --s2: #2e7d4f; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ee; --soft: #9aa5b5; --line: #38414e; --back: #14181e; --panel: #1c222b;
    --s0: #7fb2ff; --s1: #ffae6b; --s2: #7fd3a2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 52rem; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; color: var(--soft); overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
.numbers td, .numbers th { text-align: right; }
.numbers td:first-child, .numbers th:first-child { text-align: left; }
pre { background: var(--panel); padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0; break-inside: avoid; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--soft); fill: none; }
svg .mark { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .series { fill: none; stroke-width: 2; }
svg .s0 { stroke: var(--s0); } svg .s1 { stroke: var(--s1); } svg .s2 { stroke: var(--s2); }
svg .dot { fill: var(--back); stroke-width: 1.5; }
summary { cursor: pointer; }
@media (max-width: 40rem) { svg { font-size: 20px; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } pre { border: 1px solid var(--line); } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page asks browsers to fetch nothing; it holds all that it shows."""


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page around parts made by the functions below."""
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            *body,
            "</body></html>\n",
        )
    )


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def code(text: str) -> str:
    """Return text as it is, in a box."""
    return f"<pre>{escape(text)}</pre>"


def folded(summary: str, part: str) -> str:
    """Return a part that opens when its summary is clicked."""
    return f"<details><summary>{escape(summary)}</summary>{part}</details>"


def figure(caption: str, svg: str) -> str:
    """Return a picture with its caption."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values."""
    lines = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def numbers(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of numbers under column heads; the first column names the rows."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    lines = (f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f'<table class="numbers"><tr>{head}</tr>{"".join(lines)}</table>'
    return f'<div class="wide">{table}</div>'
