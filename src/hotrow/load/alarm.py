"""A timer of an event loop that is not rounded up to a millisecond."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerFdAlarm:
    """Linux's timerfd, watched by the loop like a socket: late by some 0.04 ms on an idle core.

    asyncio's own timers wait in epoll, which counts milliseconds and rounds up.

    Args:
        fire: called in the loop when the time that was set has come.

    Raises:
        OSError: the system has no timerfd.
    """

    def __init__(self, fire: Callable[[], None]) -> None:
        self._fire = fire
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "timerfd_create"):
            raise OSError("this system has no timerfd")
        self._descriptor: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Itimerspec()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def set(self, when: float) -> None:
        """Fire at ``when``, seconds of ``time.monotonic``; at once if that has passed."""
        value = self._setting.value
        value.seconds, value.nanoseconds = divmod(max(int(when * 1e9), 1), 1_000_000_000)
        self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._setting), None)

    def close(self) -> None:
        """Never fire again."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return  # it was set anew meanwhile
        self._fire()


class LoopAlarm:
    """The loop's own timer, late by up to a millisecond or so; for systems without timerfd."""

    def __init__(self, fire: Callable[[], None]) -> None:
        self._fire = fire
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle | None = None

    def set(self, when: float) -> None:
        """Fire at ``when``, seconds of ``time.monotonic``; soon if that has passed."""
        self.close()
        self._handle = self._loop.call_later(max(when - time.monotonic(), 0.0), self._fire)

    def close(self) -> None:
        """Never fire again."""
        if self._handle is not None:
            self._handle.cancel()


Alarm = TimerFdAlarm | LoopAlarm


def make_alarm(fire: Callable[[], None]) -> Alarm:
    """Return the most precise alarm of this system; how late it was is part of every load report."""
    try:
        return TimerFdAlarm(fire)
    except OSError:
        return LoopAlarm(fire)
