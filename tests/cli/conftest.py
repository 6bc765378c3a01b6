"""What the tests of commands share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _hear_ctrl_c_again() -> Iterator[None]:
    """Undo what ``main`` does where Ctrl-C ended it: it ignores the next one, and the tests go on."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
