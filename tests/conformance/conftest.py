"""Fixtures of the conformance tests: each preset is fitted once and then only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from tests.conformance.building import fit_a_little
from tests.conformance.cases import CASES, Case

from hotrow.models import RankingModel


@contextmanager
def single_thread() -> Iterator[None]:
    """Small steps on one thread: threads that wait for each other are slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with single_thread():
        yield


@pytest.fixture(scope="session", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Return a preset and the richest inputs that it takes."""
    found: Case = request.param
    return found


@pytest.fixture(scope="session")
def fitted(case: Case) -> RankingModel:
    """Return the preset after a few steps, in evaluation mode; leave it as it is."""
    with single_thread():
        return fit_a_little(case)
