from __future__ import annotations

import signal
import threading

import pytest

from hotrow.interrupt import StopRequestedError, deferred_interrupt


def test_the_first_waits_and_the_second_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    with deferred_interrupt("the answers") as interrupt:
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(StopRequestedError):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "stopping after the answers; press Ctrl-C again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_are_left_alone() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        with deferred_interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught == [signal.SIGINT]


def test_in_another_thread_nothing_is_installed() -> None:
    requested: list[bool] = []

    def work() -> None:
        with deferred_interrupt() as interrupt:
            requested.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requested == [False]


def test_sigterm_waits_too_where_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, deferred_interrupt(terminate=True) as interrupt:  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        interrupt.check()
    assert caught.value.code == 143
    assert "stopping after this step; send SIGTERM again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with deferred_interrupt():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_sigterm_stops_at_once() -> None:
    with pytest.raises(SystemExit), deferred_interrupt(terminate=True):  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")


def test_a_stop_between_two_steps_leaves_the_block_as_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as interrupt:  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        interrupt.check()
