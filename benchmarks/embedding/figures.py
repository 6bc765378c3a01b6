"""From times to what is reported."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.embedding.bandwidth import best
from benchmarks.embedding.shapes import Shape

Figures = dict[str, float | str]


def row(shape: Shape, row_bytes: int, contenders: Mapping[str, float], times: Mapping[str, float]) -> Figures:
    """Return the figures of one pass over one shape.

    Args:
        shape: of the tables.
        row_bytes: bytes of a row.
        contenders: milliseconds of each, hotrow among them.
        times: milliseconds of the readers of ``bandwidth``.
    """
    million_bytes = shape.lookups * row_bytes / 1e6
    reading = {kind: best(times, kind) for kind in ("random", "same")}
    figures: Figures = {f"{name}_ms": time for name, time in contenders.items()}
    figures |= {f"{name}_gb_per_second": million_bytes / time for name, time in contenders.items()}
    figures |= {f"{kind}_gb_per_second": million_bytes / time for kind, time in reading.items()}
    figures |= {f"share_of_{kind}": time / contenders["hotrow"] for kind, time in reading.items()}
    peers = {name: time for name, time in contenders.items() if name != "hotrow"}
    return figures | {f"over_{name}": time / contenders["hotrow"] for name, time in peers.items()}


def geometric_means(title: str, rows: Sequence[Figures], group: str = "pass") -> list[Figures]:
    """Return the geometric means of all ratios to peers, for each value that ``group`` has in ``rows``."""
    means = []
    for value in dict.fromkeys(figures[group] for figures in rows):
        of_group = [figures for figures in rows if figures[group] == value]
        mean: Figures = {"of": title, group: value}
        for name in dict.fromkeys(key for figures in of_group for key in figures if key.startswith("over_")):
            ratios = [ratio for figures in of_group if isinstance(ratio := figures.get(name), float)]
            mean[name] = statistics.geometric_mean(ratios)
        means.append(mean)
    return means
