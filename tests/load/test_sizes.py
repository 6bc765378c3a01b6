from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.errors import ConfigError
from hotrow.load.sizes import HeavyTail, parse_sizes

COUNT = 200_000


def draw(text: str, *, most: int = 1024, count: int = COUNT) -> NDArray[np.int64]:
    return parse_sizes(text, most=most).draw(np.random.default_rng(7), count)


def test_mlperf_has_its_twenty_points() -> None:
    sizes = draw("mlperf")
    shares = {size: count / COUNT * 20 for size, count in Counter(sizes.tolist()).items()}
    expected = {100: 2, 200: 12, 300: 2, 400: 1, 500: 1, 600: 1, 700: 1}
    assert shares.keys() == expected.keys()
    for size, share in expected.items():
        # Within 5 standard errors of a share.
        error = 20 * math.sqrt(share / 20 * (1 - share / 20) / COUNT)
        assert abs(shares[size] - share) < 5 * error
    assert sum(size * share for size, share in expected.items()) / 20 == 270


def test_the_heavy_tail_takes_half_of_the_work() -> None:
    """By integrating the law's quantiles: three quarters lognormal, the rest a truncated Pareto law."""
    law = HeavyTail()
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    ratio = (law.largest / law.threshold) ** -law.exponent
    tail = law.threshold * (1 - u * (1 - ratio)) ** (-1 / law.exponent)
    rng = np.random.default_rng(0)
    body = np.exp(law.mu + law.sigma * rng.standard_normal(4_000_000))
    body_work = body[body < law.threshold].sum() / len(body)
    tail_work = 0.25 * tail.mean()
    assert tail_work / (tail_work + body_work) == pytest.approx(0.5, abs=0.001)


def test_heavy_sizes_are_what_the_docstring_says() -> None:
    sizes = draw("heavy")
    ordered = np.sort(sizes)
    assert ordered[-COUNT // 4 :].sum() / ordered.sum() == pytest.approx(0.5, abs=0.01)
    assert np.quantile(sizes, 0.75) == pytest.approx(188, abs=2)
    assert sizes.mean() == pytest.approx(228, abs=2)
    assert 990 < sizes.max() <= 1000


@pytest.mark.parametrize(
    ("text", "mean", "sd"),
    [
        ("fixed:100", 100, 0),
        ("normal:165,16", 165, 16),
        ("normal:256,32", 256, 32),
        ("lognormal:5.1,0.2", math.exp(5.12), math.exp(5.12) * math.sqrt(math.expm1(0.04))),
    ],
)
def test_the_other_laws_have_their_moments(text: str, mean: float, sd: float) -> None:
    sizes = draw(text)
    assert sizes.dtype == np.int64
    assert sizes.mean() == pytest.approx(mean, abs=5 * sd / math.sqrt(COUNT) + 1e-9)
    assert sizes.std() == pytest.approx(sd, abs=0.01 * sd + 0.05 * bool(sd))


def test_sizes_are_clipped() -> None:
    sizes = draw("normal:5,50", most=20)
    assert (sizes.min(), sizes.max()) == (1, 20)


def test_a_trace_is_taken_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("3\n1\n2000\n")
    assert draw(f"trace:{tmp_path / 't'}", count=5).tolist() == [3, 1, 1024, 3, 1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mlperf:3",
        "heavy:1",
        "fixed",
        "fixed:",
        "fixed:0",
        "fixed:1.5",
        "fixed:1,2",
        "normal:5",
        "normal:5,-1",
        "normal:nan,1",
        "lognormal:5.1",
        "lognormal:5,inf",
        "zipf:2,3",
        "trace:",
    ],
)
def test_what_is_no_law_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--sizes: got .*, expected mlperf, heavy, fixed:N"):
        parse_sizes(text)


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="--max-size: got 0, expected at least 1"):
        parse_sizes("mlperf", most=0)


@pytest.mark.parametrize(
    ("text", "largest"),
    [("mlperf", 700), ("heavy", 1000), ("fixed:30", 30), ("fixed:5000", 1024), ("normal:9,3", 1024)],
)
def test_no_query_is_larger_than_the_law_says(text: str, largest: int) -> None:
    sizes = parse_sizes(text)
    assert sizes.largest == largest
    assert sizes.draw(np.random.default_rng(0), 10_000).max() <= largest


def test_the_largest_of_a_trace_is_its_largest(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("3\n900\n4\n")
    assert parse_sizes(f"trace:{path}").largest == 900
