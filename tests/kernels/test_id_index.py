from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.kernels import BackendName, available_backends, record_paths
from hotrow.kernels.id_index import IdIndex

BACKENDS = available_backends("id_index")

every_backend = pytest.mark.parametrize("backend", BACKENDS)
uint64s = st.integers(0, 2**64 - 1)


def as_keys(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, dtype=np.uint64)


@every_backend
@given(
    keys=st.lists(st.one_of(uint64s, st.integers(0, 50), st.integers(2**32 - 5, 2**32 + 5)), unique=True),
    others=st.lists(st.one_of(uint64s, st.integers(0, 60))),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_as_a_dict(backend: BackendName, keys: list[int], others: list[int]) -> None:
    index = IdIndex(as_keys(keys), backend=backend)
    expected = {key: position for position, key in enumerate(keys)}
    asked = keys + others
    answers = index.lookup(as_keys(asked))
    assert answers.dtype == np.int32
    assert answers.tolist() == [expected.get(key, -1) for key in asked]
    assert len(index) == len(keys)


@every_backend
@pytest.mark.parametrize("top", [2**32, 2**64 - 1], ids=["narrow", "wide"])
def test_many_keys(backend: BackendName, top: int) -> None:
    rng = np.random.default_rng(0)
    keys = rng.permutation(np.unique(rng.integers(0, top, 60_000, dtype=np.uint64)))
    index = IdIndex(keys[:40_000], backend=backend)
    answers = index.lookup(keys)
    np.testing.assert_array_equal(answers[:40_000], np.arange(40_000))
    assert (answers[40_000:] == -1).all()


@every_backend
@pytest.mark.parametrize("count", [0, 1, 16_384, 100_003])
def test_threads_share_a_lookup(backend: BackendName, count: int) -> None:
    keys = np.arange(0, 3000, 3, dtype=np.uint64)
    asked = np.random.default_rng(2).integers(0, 3000, count, dtype=np.uint64)
    index = IdIndex(keys, backend=backend)
    expected = np.where(asked % 3 == 0, asked // 3, np.uint64(2**64 - 1)).astype(np.int32)
    np.testing.assert_array_equal(index.lookup(asked, threads=3), expected)
    with pytest.raises(ValueError, match="threads: got 0"):
        index.lookup(asked, threads=0)


@every_backend
def test_backends_are_told_apart(backend: BackendName) -> None:
    with record_paths() as paths:
        index = IdIndex(as_keys([5, 6]), backend=backend)
        index.lookup(as_keys([6]))
    assert index.backend == backend
    assert paths == [("id_index_build", backend), ("id_index_lookup", backend)]


@pytest.mark.skipif(len(BACKENDS) < 2, reason="the compiled kernels are not installed")
@pytest.mark.parametrize("builder", BACKENDS)
def test_slots_built_by_one_backend_serve_the_other(builder: BackendName) -> None:
    keys = np.random.default_rng(1).permutation(np.arange(5000, dtype=np.uint64) * np.uint64(977))
    other = next(name for name in BACKENDS if name != builder)
    built, served = IdIndex(keys, backend=builder), IdIndex(keys, backend=other)
    served._slots = built._slots
    np.testing.assert_array_equal(served.lookup(keys), np.arange(5000))


@every_backend
def test_repeated_key_is_named(backend: BackendName) -> None:
    with pytest.raises(ValueError, match="keys: 7 at position 3 occurs twice"):
        IdIndex(as_keys([9, 7, 8, 7, 9]), backend=backend)


@every_backend
def test_strided_keys(backend: BackendName) -> None:
    keys = np.arange(20, dtype=np.uint64)
    assert IdIndex(keys[::2], backend=backend).lookup(keys[::-2]).tolist() == [-1] * 10
    assert IdIndex(keys[::2], backend=backend).lookup(keys[::4]).tolist() == [0, 2, 4, 6, 8]


@every_backend
def test_memory_of_an_entry(backend: BackendName) -> None:
    narrow = IdIndex(np.arange(6000, dtype=np.uint64), backend=backend)
    wide = IdIndex(np.arange(6000, dtype=np.uint64) << np.uint64(33), backend=backend)
    assert narrow.nbytes <= 6000 * 13.4
    assert wide.nbytes <= 6000 * 20.1


@pytest.mark.parametrize("keys", [np.zeros(3, np.int64), np.zeros((2, 2), np.uint64)], ids=["int64", "2-d"])
def test_other_arrays_are_refused(keys: NDArray[np.uint64]) -> None:
    with pytest.raises(ValueError, match="expected one-dimensional uint64"):
        IdIndex(keys)


def test_needs_no_torch() -> None:
    code = (
        "import numpy, sys; from hotrow.kernels.id_index import IdIndex; "
        "assert IdIndex(numpy.arange(9, dtype='u8')).lookup(numpy.array([4], 'u8')) == 4; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")
def test_one_openmp_runtime_in_the_process() -> None:
    code = (
        "import numpy; from hotrow.kernels.id_index import IdIndex; IdIndex(numpy.arange(9, dtype='u8')); "
        "import torch; print(*{l.split()[-1] for l in open('/proc/self/maps') if 'libgomp' in l})"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert len(run.stdout.split()) == 1
    assert "torch" in run.stdout
