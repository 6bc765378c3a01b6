from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Outcome, Steps, Trial, drive, drive_async, in_turns


def trial(phase: str) -> Trial:
    return Trial(knobs=Knobs(1), rate_qps=1, queries=1, warm_up=0, stop_at_violations=9, phase=phase)


def outcome(rows: int = 1) -> Outcome:
    return Outcome(latencies_ms=np.array([1.0, np.inf, np.nan, 3.0]), rows=rows, seconds=1)


def asking(name: str, times: int) -> Steps[int]:
    total = 0
    for number in range(times):
        total += (yield trial(f"{name}{number}")).rows
    return total


def test_violations_are_what_is_not_within_the_sla() -> None:
    assert outcome().count_violations(3.0) == 2
    assert outcome().count_violations(2.9) == 3


def test_a_search_is_sent_what_was_measured() -> None:
    rows = iter((1, 10, 100))
    assert drive(asking("a", 3), lambda trial: outcome(next(rows))) == 111

    async def measure(trial: Trial) -> Outcome:
        return outcome(2)

    assert asyncio.run(drive_async(asking("a", 3), measure)) == 6


def test_turns_go_round_until_each_is_done() -> None:
    seen: list[str] = []

    def measure(trial: Trial) -> Outcome:
        seen.append(trial.phase)
        return outcome(len(seen))

    results = drive(in_turns({"a": asking("a", 3), "b": asking("b", 1), "c": asking("c", 2)}), measure)
    assert seen == ["a0", "b0", "c0", "a1", "c1", "a2"]
    assert results == {"a": 1 + 4 + 6, "b": 2, "c": 3 + 5}


def test_a_search_that_is_given_up_is_closed() -> None:
    closed: list[str] = []

    def watched(name: str) -> Steps[int]:
        try:
            return (yield from asking(name, 3))
        finally:
            closed.append(name)

    def failing() -> Iterator[Outcome]:
        yield outcome()
        yield outcome()
        raise KeyboardInterrupt

    outcomes = failing()
    with pytest.raises(KeyboardInterrupt):
        drive(in_turns({"a": watched("a"), "b": watched("b")}), lambda trial: next(outcomes))
    assert closed == ["a", "b"]
