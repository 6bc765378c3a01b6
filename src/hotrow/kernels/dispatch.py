"""Choosing an implementation of an operator.

``auto`` takes the first backend for the tensors' device (``PREFERENCE``) that this installation has,
logs its choice once per operator, and warns once when the compiled kernels are missing. A backend
asked for by name is used or refused, never replaced.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Generic, Literal, TypeVar, get_args

from hotrow.errors import BackendUnavailableError, ConfigError
from hotrow.kernels import _compiled

BackendName = Literal["reference", "cpu", "triton"]
Backend = Literal["auto", "reference", "cpu", "triton"]

PREFERENCE: dict[str, tuple[BackendName, ...]] = {
    "cpu": ("cpu", "reference"),
    "cuda": ("triton", "reference"),
}

Implementation = TypeVar("Implementation")

_log = logging.getLogger(__name__)
_operators: dict[str, Operator[object]] = {}
_recorders: list[list[tuple[str, BackendName]]] = []
_said: set[str] = set()


@dataclass(frozen=True)
class Selected(Generic[Implementation]):
    """An implementation and the name of the backend it belongs to."""

    backend: BackendName
    implementation: Implementation


class Operator(Generic[Implementation]):
    """One operator and the loaders of its implementations, which import only when chosen.

    Args:
        name: the operator's name in logs, errors and ``available_backends``.
        loaders: for each backend that implements it, a function that imports and returns it.
    """

    def __init__(self, name: str, loaders: Mapping[BackendName, Callable[[], Implementation]]) -> None:
        self.name = name
        self._loaders = loaders
        self._selected: dict[tuple[str, str], Selected[Implementation]] = {}
        _operators[name] = self  # type: ignore[assignment]  # the registry never calls a loader

    def backends(self) -> tuple[BackendName, ...]:
        """Return the backends that this installation can run, best first."""
        names: tuple[BackendName, ...] = ("cpu", "triton", "reference")
        return tuple(name for name in names if name in self._loaders and _is_installed(name))

    def select(self, backend: Backend = "auto", *, device: str = "cpu") -> Selected[Implementation]:
        """Load the implementation that ``backend`` names.

        Args:
            backend: a name, or ``auto``.
            device: type of the device that the tensors are on, which ``auto`` goes by.

        Raises:
            ConfigError: there is no backend of that name.
            BackendUnavailableError: the backend was named and is not installed.
        """
        selected = self._selected.get((backend, device))  # what is installed stays
        if selected is None:
            selected = self._selected[backend, device] = self._load(backend, device)
        return selected

    def _load(self, backend: Backend, device: str) -> Selected[Implementation]:
        if backend not in get_args(Backend):
            raise ConfigError("backend", backend, f"one of {', '.join(get_args(Backend))}")
        if backend == "auto":
            installed = self.backends()
            chosen = next(name for name in PREFERENCE.get(device, ("reference",)) if name in installed)
            _say_choice(self.name, chosen)
        elif backend in self._loaders and _is_installed(backend):
            chosen = backend
        else:
            raise BackendUnavailableError(
                f"{self.name}: backend {backend!r} is not available here ({_reason(backend)}); "
                f"available: {', '.join(self.backends())}"
            )
        return Selected(chosen, self._loaders[chosen]())


def available_backends(operator: str) -> tuple[BackendName, ...]:
    """Return the backends that can run an operator here, best first.

    Raises:
        KeyError: no operator of that name has been imported.
    """
    return _operators[operator].backends()


@contextmanager
def record_paths() -> Iterator[list[tuple[str, BackendName]]]:
    """Collect ``(operation, backend)`` for each implementation entered within the context."""
    paths: list[tuple[str, BackendName]] = []
    _recorders.append(paths)
    try:
        yield paths
    finally:
        _recorders[:] = [kept for kept in _recorders if kept is not paths]


def note_path(operation: str, backend: BackendName) -> None:
    """Called by each implementation on entry, so that tests can tell which one ran."""
    for paths in _recorders:
        paths.append((operation, backend))


def _is_installed(backend: BackendName) -> bool:
    return not _missing(backend)


def _missing(backend: BackendName) -> str:
    """Return in a phrase why a backend cannot run here; empty when it can."""
    if backend == "cpu":
        return _compiled.problem()
    return _triton_problem() if backend == "triton" else ""


def _reason(backend: BackendName) -> str:
    return _missing(backend) or "not implemented"


@cache
def _triton_problem() -> str:
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if os.environ.get("TRITON_INTERPRET") == "1":
        return ""
    import torch

    return "" if torch.cuda.is_available() else "there is no CUDA device, and TRITON_INTERPRET is not 1"


def _say_choice(operator: str, chosen: BackendName) -> None:
    if chosen == "reference" and _compiled.load() is None and "missing" not in _said:
        _said.add("missing")
        _log.warning(
            "the compiled kernels are missing (%s): using the slower reference implementations; "
            "install a C++ compiler and reinstall hotrow to have them",
            _compiled.problem(),
        )
    if operator not in _said:
        _said.add(operator)
        _log.info("%s: using the %s backend", operator, chosen)
