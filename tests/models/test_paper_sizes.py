"""The published models at their published sizes fit into this machine and run."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.models.paper_size import BATCH_SIZE, PAPER_SIZES, measure

from hotrow.models import paper_inputs, preset

ROOM_GIB = 2.0
"""Memory beside the tables: torch, networks and their gradients, one batch."""


@pytest.fixture
def alone() -> Iterator[None]:
    """Let one of these tests run at a time, also where several processes test."""
    with Path(__file__).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def available_gib() -> float:
    """Return the memory that Linux can give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 2**20
    raise AssertionError("no MemAvailable in /proc/meminfo")


@pytest.mark.slow
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", PAPER_SIZES)
def test_fits_and_runs_forward_and_backward(name: str) -> None:
    config = preset(name, paper_inputs(name))
    limit = config.facts().table_bytes / 2**30 + ROOM_GIB
    if limit > available_gib():
        pytest.skip(f"{name} may take {limit:.1f} GiB, this machine has {available_gib():.1f} free")
    found = measure(name)
    assert found["is_finite"]
    assert found["logits"] == BATCH_SIZE * len(config.tasks)
    assert found["peak_rss_gib"] < limit
