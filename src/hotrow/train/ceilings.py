"""What this machine can do, measured in half a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from hotrow.kernels import _compiled
from hotrow.kernels.memory import prefer_huge_pages
from hotrow.train.roofline import Ceilings

_MEMORY = 256 * 2**20
_READ = 64 * 2**20
_AHEAD = 32
_SIZE = 1024
_ROUNDS = 5


def measure_ceilings(row_bytes: int) -> Ceilings:
    """Measure random rows and a large matrix product with torch's threads; takes 256 MiB meanwhile.

    Args:
        row_bytes: of the rows.

    Raises:
        RuntimeError: there are no compiled kernels.
    """
    return Ceilings(
        row_bytes_per_second=_READ // row_bytes * row_bytes / _row_seconds(row_bytes),
        flop_per_second=2 * _SIZE**3 / _product_seconds(),
    )


def _row_seconds(row_bytes: int) -> float:
    read, threads = _compiled.require().read_random_rows, torch.get_num_threads()
    buffer = torch.empty(_MEMORY, dtype=torch.uint8)
    prefer_huge_pages(buffer)
    buffer.fill_(1)
    rows = _MEMORY // row_bytes
    numbers = torch.Generator().manual_seed(0)
    drawn = [torch.randint(0, rows, (_READ // row_bytes,), generator=numbers) for _ in range(_ROUNDS)]
    # Other rows in each round: those of the round before are still in the cache.
    return min(
        _seconds(lambda ids=ids: read(buffer.data_ptr(), rows, row_bytes, ids, _AHEAD, threads))  # type: ignore[misc]
        for ids in drawn
    )


def _product_seconds() -> float:
    left, right = torch.ones(_SIZE, _SIZE), torch.ones(_SIZE, _SIZE)
    return min(_seconds(lambda: left @ right) for _ in range(_ROUNDS))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
