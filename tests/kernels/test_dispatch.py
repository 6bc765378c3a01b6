from __future__ import annotations

import logging

import pytest

from hotrow.errors import BackendUnavailableError, ConfigError
from hotrow.kernels import _compiled, available_backends, dispatch, record_paths
from hotrow.kernels.dispatch import Operator, note_path


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Operator[str]:
    monkeypatch.setattr(dispatch, "_operators", {})
    monkeypatch.setattr(dispatch, "_said", set())
    return Operator("double", {"reference": lambda: "slow", "cpu": lambda: "fast"})


@pytest.fixture
def without_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "_attempt", lambda: (None, "no compiler"))


@pytest.fixture
def with_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "_attempt", lambda: (logging, ""))


@pytest.mark.usefixtures("with_compiled")
def test_auto_prefers_compiled(operator: Operator[str]) -> None:
    selected = operator.select()
    assert (selected.backend, selected.implementation) == ("cpu", "fast")
    assert available_backends("double") == ("cpu", "reference")


@pytest.mark.usefixtures("with_compiled")
def test_named_backend_is_used(operator: Operator[str]) -> None:
    assert operator.select("reference").implementation == "slow"


@pytest.mark.usefixtures("with_compiled")
def test_auto_says_its_choice_once(operator: Operator[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    operator.select()
    operator.select()
    assert caplog.messages == ["double: using the cpu backend"]


@pytest.mark.usefixtures("without_compiled")
def test_missing_kernels_are_said_once(operator: Operator[str], caplog: pytest.LogCaptureFixture) -> None:
    other = Operator("triple", {"reference": lambda: "slow", "cpu": lambda: "fast"})
    assert operator.select().backend == "reference"
    assert other.select().backend == "reference"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "no compiler" in warnings[0]
    assert available_backends("double") == ("reference",)


@pytest.mark.usefixtures("without_compiled")
def test_named_backend_that_is_absent_is_refused(operator: Operator[str]) -> None:
    with pytest.raises(
        BackendUnavailableError, match=r"double: backend 'cpu'.*no compiler.*available: reference"
    ):
        operator.select("cpu")


def test_backend_that_does_not_exist_is_refused(operator: Operator[str]) -> None:
    with pytest.raises(ConfigError, match="backend: got 'gpu', expected one of auto, reference, cpu"):
        operator.select("gpu")  # type: ignore[arg-type]


def test_paths_are_recorded_only_within_the_context() -> None:
    note_path("before", "cpu")
    with record_paths() as paths:
        note_path("within", "reference")
    note_path("after", "cpu")
    assert paths == [("within", "reference")]
