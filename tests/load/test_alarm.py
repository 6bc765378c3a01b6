from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from hotrow.load.alarm import Alarm, LoopAlarm, TimerFdAlarm, make_alarm

MakeAlarm = Callable[[Callable[[], None]], Alarm]


@pytest.fixture(params=[TimerFdAlarm, LoopAlarm])
def make(request: pytest.FixtureRequest) -> MakeAlarm:
    """Return each kind of alarm in turn."""
    kind: MakeAlarm = request.param
    return kind


def test_it_never_fires_early(make: MakeAlarm) -> None:
    async def main() -> list[float]:
        fired: list[float] = []
        done = asyncio.Event()

        def fire() -> None:
            fired.append(time.monotonic() - due[len(fired)])
            if len(fired) == len(due):
                done.set()
            else:
                alarm.set(due[len(fired)])

        alarm = make(fire)
        start = time.monotonic()
        due = [start + 0.003 * step for step in range(-2, 10)]  # some have passed already
        alarm.set(due[0])
        await done.wait()
        alarm.close()
        return fired

    late = asyncio.run(main())
    assert len(late) == 12
    assert min(late) > -1e-6


def test_setting_anew_replaces_and_closing_ends(make: MakeAlarm) -> None:
    async def main() -> int:
        fired: list[None] = []
        alarm = make(lambda: fired.append(None))
        alarm.set(time.monotonic())
        alarm.set(time.monotonic() + 3600)
        for _ in range(50):
            await asyncio.sleep(0)
        alarm.set(time.monotonic() - 1)
        while not fired:
            await asyncio.sleep(0)
        alarm.set(time.monotonic() - 1)
        alarm.close()
        for _ in range(50):
            await asyncio.sleep(0)
        return len(fired)

    assert asyncio.run(main()) == 1


def test_without_timerfd_the_loops_own_timer_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fire: Callable[[], None]) -> Alarm:
        raise OSError("no timerfd")

    async def main() -> Alarm:
        return make_alarm(lambda: None)

    monkeypatch.setattr("hotrow.load.alarm.TimerFdAlarm", refuse)
    assert isinstance(asyncio.run(main()), LoopAlarm)
