from __future__ import annotations

import itertools

from hotrow.layers.inference.ladder import step_above, steps


def test_steps_are_few_and_at_most_an_eighth_more() -> None:
    found = [step_above(rows) for rows in range(1, 5000)]
    assert found == sorted(found)
    for rows, step in enumerate(found, start=1):
        assert rows <= step <= rows * 9 / 8
        assert step_above(step) == step
    assert [len({*found[:most]}) for most in (16, 256, 1024)] == [16, 48, 64]
    assert step_above(0) == 0


def test_all_steps() -> None:
    assert list(steps(1024)) == sorted({step_above(rows) for rows in range(1, 1025)})
    assert list(itertools.islice(steps(10**9), 20)) == [*range(1, 17), 18, 20, 22, 24]
    assert list(steps(0)) == []
