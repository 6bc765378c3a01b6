"""Loading the compiled module ``hotrow._kernels``, with torch's OpenMP.

The module needs ``libgomp.so.1``. torch ships its own copy, and two OpenMP runtimes in one process
compete for the cores. The dynamic linker reuses a library that is already loaded under the same
SONAME, so torch's copy is loaded first, by its path and without importing torch: preparing data
does not pay for ``import torch``, and a torch imported later finds its own runtime in place.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import logging
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

_log = logging.getLogger(__name__)


def load() -> ModuleType | None:
    """Return ``hotrow._kernels``, or None where it is not installed or cannot be loaded."""
    return _attempt()[0]


def require() -> ModuleType:
    """Return ``hotrow._kernels``; only called where ``load`` has found it."""
    module = load()
    if module is None:
        raise RuntimeError(f"hotrow._kernels: {problem()}")
    return module


def problem() -> str:
    """Return in a phrase why the compiled module is not there; empty when it is."""
    return _attempt()[1]


@cache
def _attempt() -> tuple[ModuleType | None, str]:
    if importlib.util.find_spec("hotrow._kernels") is None:
        return None, "hotrow was installed without a C++ compiler, or building its kernels failed"
    _share_openmp_of_torch()
    try:
        module = importlib.import_module("hotrow._kernels")
    except ImportError as error:
        return None, " ".join(str(error).split())
    wanted, chosen = os.environ.get("HOTROW_ISA"), module.instruction_set()
    if wanted and wanted != chosen:
        _log.warning("HOTROW_ISA=%s is not available here: the kernels use %s", wanted, chosen)
    return module, ""


def _share_openmp_of_torch() -> None:
    if "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    for library in sorted(Path(spec.origin).parent.glob("lib/libgomp*.so*")):
        try:
            ctypes.CDLL(str(library))
        except OSError:
            continue  # the system's copy serves instead
