"""Fit the distributions of `hotrow synth criteo` to a sample of the real log.

    python tools/fit_criteo.py train.txt > src/hotrow/synth/criteo_tables.py

Reads labelled Criteo rows (10,000 are enough) and prints the Python module of fitted parameters:

- Missing values: columns that are always missing together share one rate.
- Integer columns: the share of each interval between logarithmically spaced knots.
- Categorical columns: ids with at least 0.4% of the rows keep their share (at most 20 of them); a
  Zipf-Mandelbrot law over the remaining ids up to the column's cardinality in the full log, with
  (q, s) such that the expected numbers of ids seen at least 1, 2, 3, ... 50 times in a sample of this
  size match the sample's (least squares of square roots, which evens out Poisson noise; the counts of
  rare ids weigh most).

Only these shares and parameters are printed: no row and no id of the sample.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hotrow.synth.laws import IdLaw, knots

INTEGERS = [f"I{number}" for number in range(1, 14)]
IDS = [f"C{number}" for number in range(1, 27)]
# fmt: off
ROWS = (
    1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194,
    27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572,
)  # distinct ids in the full Kaggle log
# fmt: on
OCCURRENCES = (1, 2, 3, 4, 6, 9, 13, 20, 32, 50)
HEAD_SHARE, HEAD_LENGTH = 0.004, 20
WEIGHTS = np.array([3, 3, 2, 1, 1, 1, 1, 1, 1, 1])
HEADER = '''"""Fitted parameters of the synthetic Criteo log: written by tools/fit_criteo.py, not by hand.

They are shares, rates and exponents that describe the first 10,000 rows of the Kaggle log, and the
numbers of distinct ids of the whole log; ``tools/fit_criteo.py`` says how each was fitted.
"""

from __future__ import annotations

from hotrow.synth.laws import IdLaw, IntegerLaw

# fmt: off'''


def fit_ids(counts: NDArray[np.int64], rows: int) -> IdLaw:
    """Fit one categorical column, given how often each of its ids occurs, most frequent first."""
    total = int(counts.sum())
    length = min(int((counts >= HEAD_SHARE * total).sum()), HEAD_LENGTH, rows - 1)
    head = counts[:length] / total
    head *= min(1.0, (1.0 - 0.5 / total) / head.sum())  # unseen ids exist: leave them half a row
    shares = tuple(round(float(share), 5) for share in head)
    seen = np.array([(counts[length:] >= level).sum() for level in OCCURRENCES])

    def loss(q: float, s: float) -> float:
        law = IdLaw(rows=rows, head=shares, q=q, s=s)
        return float(WEIGHTS @ (np.sqrt(expected_ids(law, total)) - np.sqrt(seen)) ** 2)

    q_grid = np.concatenate([[0.5], np.geomspace(1, min(1e4, 3.0 * rows), 40)])
    s_grid = np.arange(0.325, 6.0, 0.05)
    q, s = min(((q, s) for q in q_grid for s in s_grid), key=lambda point: loss(*point))
    for step in (0.3, 0.1, 0.03):
        near = [
            (q * (1 + step * i), s + 0.1 * step * j) for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2)
        ]
        q, s = min(near, key=lambda point: loss(*point))
    s = s if abs(s - 1) > 0.002 else 1.002
    return IdLaw(rows=rows, head=shares, q=round(float(q), 2), s=round(float(s), 4))


def expected_ids(law: IdLaw, draws: int) -> NDArray[np.float64]:
    """Return how many tail ids are expected at least 1, 2, 3, ... times in ``draws`` rows (Poisson)."""
    first = len(law.head)
    near = np.arange(first, min(first + 600, law.rows) + 1)
    far = np.geomspace(near[-1], law.rows, 1500).astype(np.int64)
    edges = np.unique(np.concatenate([near, far]))
    width = np.diff(edges)
    mean = law.tail_shares(edges) / width * draws
    term, below, at_least = np.exp(-mean), np.exp(-mean), []
    for level in range(1, OCCURRENCES[-1] + 1):
        at_least.append(float(((1 - below) * width).sum()))
        term = term * mean / level
        below = below + term
    return np.array([max(at_least[level - 1], 0.0) for level in OCCURRENCES])


def fit_integers(values: NDArray[np.int64]) -> list[float]:
    """Return the share of each interval between knots, up to the last that holds a value."""
    count = next(n for n in range(3, 100) if knots(n)[-1] > values.max())
    shares = [float(((values >= low) & (values < high)).mean()) for low, high in pairwise(knots(count))]
    return [round(share, 4) for share in shares]


def missing_groups(log: pl.DataFrame) -> list[tuple[list[str], float]]:
    """Group the columns that are missing in exactly the same rows; give each group its rate."""
    groups: dict[bytes, list[str]] = {}
    for name in INTEGERS + IDS:
        absent = log[name].is_null().to_numpy()
        if absent.any():
            groups.setdefault(absent.tobytes(), []).append(name)
    return [(names, round(sum(absent) / len(absent), 4)) for absent, names in groups.items()]


def main() -> None:
    """Read the sample named on the command line and print the fitted module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("log", type=Path, help="labelled Criteo rows, tab-separated")
    log = pl.read_csv(
        parser.parse_args().log,
        separator="\t",
        has_header=False,
        new_columns=["label", *INTEGERS, *IDS],
        schema_overrides=[pl.Int64] * 14 + [pl.String] * 26,
    )
    print(HEADER)
    print("MISSING: tuple[tuple[tuple[str, ...], float], ...] = (")
    for names, rate in missing_groups(log):
        print(f"    ({tuple(names)!r}, {rate}),")
    print(')\n"""Columns that are missing together, and the share of rows in which they are."""\n')
    print("INTEGERS: dict[str, IntegerLaw] = {")
    for name in INTEGERS:
        shares = fit_integers(log[name].drop_nulls().to_numpy())
        print(f'    "{name}": IntegerLaw(shares=({_wrapped(shares)})),')
    print("}\n\nIDS: dict[str, IdLaw] = {")
    for name, rows in zip(IDS, ROWS, strict=True):
        counts = log[name].drop_nulls().value_counts(sort=True)["count"].to_numpy().astype(np.int64)
        law = fit_ids(counts, rows)
        print(f'    "{name}": IdLaw(rows={rows}, q={law.q}, s={law.s}, head=({_wrapped(law.head)})),')
    print("}\n# fmt: on")


def _wrapped(numbers: Sequence[float]) -> str:
    """Return numbers as the inside of a tuple, in lines that fit the page."""
    text = ", ".join(f"{number:g}" for number in numbers) + ","
    return "".join(f"\n        {line}" for line in textwrap.wrap(text, 100)) + "\n    "


if __name__ == "__main__":
    main()
