"""Ctrl-C that waits until work may be interrupted, so that what it leaves is whole."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequestedError(Exception):
    """Ctrl-C was pressed; raised between steps by ``Interrupt.check``."""


class Interrupt:
    """Remembers the first Ctrl-C; a second one interrupts at once.

    Args:
        awaited: what is still waited for then, as the message names it.
    """

    def __init__(self, awaited: str = "this step") -> None:
        self.requested = False
        self._awaited = awaited

    def check(self) -> None:
        """Return if the work is to go on.

        Raises:
            StopRequestedError: Ctrl-C was pressed.
        """
        if self.requested:
            raise StopRequestedError

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
        sys.stderr.write(f"stopping after {self._awaited}; press Ctrl-C again to stop at once\n")


@contextmanager
def deferred_interrupt(awaited: str = "this step") -> Iterator[Interrupt]:
    """Yield an ``Interrupt`` that Ctrl-C sets while the block runs.

    Only where Ctrl-C would raise KeyboardInterrupt here: in the main thread, with Python's own
    handler in place. Elsewhere it is never set.
    """
    interrupt = Interrupt(awaited)
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt._on_signal)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
