"""Memory of this process: how much it has used, and how it is reused."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

_LARGEST_HEAP_CHUNK = (32 << 20) - (64 << 10)


def peak_rss_mib() -> float:
    """Return the largest resident memory of this process so far, in MiB.

    Linux's VmHWM begins anew with each program; ``ru_maxrss``, used elsewhere, can be inherited.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    unit = 1 << 20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def reuse_freed_memory() -> None:
    """Let arrays of a few MiB come from memory freed before instead of fresh pages.

    glibc gives larger blocks back to the system at once, and every array then costs a page fault
    per 4 KiB: a third of the time of parsing. It stops doing so for all sizes up to the largest
    block that it has seen freed, 32 MiB at most; so one such block is taken and freed.
    """
    np.empty(_LARGEST_HEAP_CHUNK, dtype=np.uint8)
