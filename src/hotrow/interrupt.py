"""Ctrl-C and SIGTERM that wait until work may be interrupted, so that what it leaves is whole."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_DEFAULTS: dict[signal.Signals, Callable[[int, FrameType | None], object] | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
_AGAIN = {signal.SIGINT: "press Ctrl-C again", signal.SIGTERM: "send SIGTERM again"}


class StopRequestedError(Exception):
    """Work is to end; raised between steps by ``Interrupt.check``.

    Args:
        number: the signal that asked for it.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class Interrupt:
    """Remembers the first signal; a second one interrupts at once.

    Args:
        awaited: what is still waited for then, as the message names it.
    """

    def __init__(self, awaited: str = "this step") -> None:
        self.requested = False
        self.number: int = signal.SIGINT
        self._awaited = awaited

    def check(self) -> None:
        """Return if the work is to go on.

        Raises:
            StopRequestedError: Ctrl-C was pressed, or SIGTERM came.
        """
        if self.requested:
            raise StopRequestedError(self.number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise stop(number)
        self.requested, self.number = True, number
        sys.stderr.write(
            f"stopping after {self._awaited}; {_AGAIN[signal.Signals(number)]} to stop at once\n"
        )


def stop(number: int) -> BaseException:
    """Return what a signal is where nothing waits for it: KeyboardInterrupt, or the exit that shells tell.

    Args:
        number: of the signal; the status of the exit is 128 more.
    """
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


@contextmanager
def deferred_interrupt(awaited: str = "this step", *, terminate: bool = False) -> Iterator[Interrupt]:
    """Yield an ``Interrupt`` that Ctrl-C sets while the block runs.

    Only where Ctrl-C would raise KeyboardInterrupt here: in the main thread, with Python's own
    handler in place. Elsewhere it is never set.

    Args:
        awaited: what is still waited for then, as the message names it.
        terminate: whether SIGTERM sets it too, where it would end the process.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the work between two steps, or was pressed twice.
        SystemExit: SIGTERM did; its status is 143.
    """
    interrupt = Interrupt(awaited)
    numbers = [signal.SIGINT, signal.SIGTERM] if terminate else [signal.SIGINT]
    is_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in numbers if is_main and signal.getsignal(number) == _DEFAULTS[number]]
    for number in ours:
        signal.signal(number, interrupt._on_signal)
    try:
        yield interrupt
    except StopRequestedError as request:
        raise stop(request.number) from None
    finally:
        for number in ours:
            signal.signal(number, _DEFAULTS[number])
