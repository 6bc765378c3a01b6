from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.climb import climb
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found
from hotrow.scheduling.trial import Steps, drive


def run(rates: list[float], start: int, *, gives_out: int = 10**9) -> tuple[Found, list[int]]:
    ladder = [Knobs(index + 1) for index in range(len(rates))]
    tried: list[int] = []

    def try_setting(knobs: Knobs, best: Found) -> Steps[Found]:
        tried.append(knobs.batch_size - 1)
        complete = len(tried) < gives_out
        yield from ()
        return Found(knobs=knobs, rate_qps=rates[tried[-1]], failed_qps=math.inf, complete=complete)

    known = Found(knobs=ladder[start], rate_qps=rates[start], failed_qps=math.inf)
    steps = climb(ladder, start, known, try_setting)
    return drive(steps, lambda trial: None), tried  # type: ignore[arg-type, return-value]  # never measured


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=24), st.data())
def test_the_only_top_is_found_from_anywhere(values: set[int], data: st.DataObject) -> None:
    ordered = sorted(values)
    left = data.draw(st.sets(st.sampled_from(ordered)))
    rates = [*sorted(left), *sorted(values - left, reverse=True)]
    start = data.draw(st.integers(0, len(rates) - 1))
    best, tried = run([float(rate) for rate in rates], start)
    assert best.rate_qps == ordered[-1]
    assert start not in tried
    assert len(tried) == len(set(tried))


def test_it_looks_over_a_small_dip() -> None:
    best, _ = run([1, 5, 2, 2, 3, 9, 8, 3], 1)
    assert best.rate_qps == 9


def test_far_settings_are_not_tried() -> None:
    _, tried = run([float(-abs(index - 30)) for index in range(60)], 26)
    assert len(tried) <= 9


def test_it_ends_where_the_budget_does() -> None:
    best, tried = run([float(index) for index in range(30)], 0, gives_out=3)
    assert (len(tried), best.rate_qps, best.complete) == (3, 6, False)
