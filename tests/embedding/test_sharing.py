"""Several threads on one module, and several processes on one table, as EmbeddingTables documents."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
from hotrow.kernels.embedding_bag import OptimizerKind
from hotrow.kernels.row_formats import RowFormat


def run_together(*jobs: Callable[[], None]) -> None:
    """Run jobs in threads that start at the same moment; re-raise what they raise."""
    barrier, errors = threading.Barrier(len(jobs)), list[BaseException]()

    def guarded(job: Callable[[], None]) -> None:
        barrier.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001  # handed to the test
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def train(tables: EmbeddingTables, steps: int, first: int = 0, last: int | None = None) -> None:
    rows = tables.tables[0].rows if last is None else last
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        ids = torch.randint(first, rows, (700, len(tables.tables)), generator=generator)
        result = tables(ids)
        (result * torch.randn(result.shape, generator=generator)).sum().backward()


def make(kind: OptimizerKind, row_format: RowFormat = "fp32", seed: int = 0) -> EmbeddingTables:
    tables = [TableConfig(name=name, rows=60, width=24, format=row_format) for name in "ab"]
    return EmbeddingTables(tables, optimizer=TableOptimizerConfig(kind=kind, lr=0.1), seed=seed)


@pytest.mark.parametrize("kind", ["rowwise_adagrad", "adam"])
def test_modules_in_two_threads_give_the_same_bits_as_alone(kind: OptimizerKind) -> None:
    alone = [make(kind, "bf16", seed) for seed in range(2)]
    for tables in alone:
        train(tables, 30)
    together = [make(kind, "bf16", seed) for seed in range(2)]
    run_together(*(lambda tables=tables: train(tables, 30) for tables in together))
    for mine, theirs in zip(alone, together, strict=True):
        other = theirs.state_dict()
        assert all(torch.equal(tensor, other[name]) for name, tensor in mine.state_dict().items())


def test_two_threads_look_up_the_same() -> None:
    tables = make("sgd")
    ids = torch.randint(0, 60, (5000, 2))
    with torch.no_grad():
        expected = tables(ids)

    def look() -> None:
        with torch.no_grad():
            assert all(torch.equal(tables(ids), expected) for _ in range(40))

    run_together(look, look)


def test_lookups_beside_updates_see_whole_numbers_of_steps() -> None:
    """Every element of a row is what it was after some step, though those of a row may differ."""
    table = torch.zeros(50, 64)
    tables = EmbeddingTables.from_weights(
        [TableConfig(name="t", rows=50, width=64)],
        {"t": table},
        optimizer=TableOptimizerConfig(kind="sgd", lr=1.0),
    )
    ids = torch.arange(50).unsqueeze(1)
    done = threading.Event()
    seen = []

    def update() -> None:
        for _ in range(300):
            (-tables(ids)).sum().backward()
        done.set()

    def look() -> None:
        with torch.no_grad():
            while not done.is_set():
                seen.append(tables(ids))

    run_together(update, look)
    assert bool((table == 300).all())
    values = torch.stack(seen) if seen else torch.zeros(1)
    assert bool(((values >= 0) & (values <= 300) & (values == values.round())).all())
    assert bool((values.diff(dim=0) >= 0).all())


def test_two_threads_step_disjoint_rows_of_one_module() -> None:
    """Nothing is lost: SGD, whose step does not depend on how many there were before."""
    alone, together = make("sgd"), make("sgd")
    train(alone, 40, 0, 30)
    train(alone, 40, 30, 60)
    run_together(lambda: train(together, 40, 0, 30), lambda: train(together, 40, 30, 60))
    for name in "ab":
        assert torch.equal(alone.table_weight(name), together.table_weight(name))


WORKER = """
import sys
import numpy as np
import torch
from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
weights = torch.from_numpy(np.load(path, mmap_mode="r+"))
config = TableConfig(name="t", rows=100, width=33)
sgd = TableOptimizerConfig(kind="sgd", lr=0.5)
tables = EmbeddingTables.from_weights([config], {"t": weights}, optimizer=sgd)
print("ready", flush=True)
sys.stdin.readline()
for step in range(150):
    ids = torch.randint(first, last, (80, 1), generator=torch.Generator().manual_seed(step))
    tables(ids).sum().backward()
"""


def test_two_processes_step_disjoint_rows_of_one_file(tmp_path: Path) -> None:
    """Rows of 33 floats share cache lines; every update of both arrives exactly."""
    path = tmp_path / "table.npy"
    np.save(path, np.zeros((100, 33), np.float32))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), *map(str, rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rows in ((0, 49), (49, 100))
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n")
        assert worker.returncode == 0
    counts = torch.zeros(100)
    for first, last in ((0, 49), (49, 100)):
        for step in range(150):
            ids = torch.randint(first, last, (80,), generator=torch.Generator().manual_seed(step))
            counts += torch.bincount(ids, minlength=100)
    expected = (-0.5 * counts).unsqueeze(1).expand(100, 33)
    assert torch.equal(torch.from_numpy(np.load(path)), expected)


def _step_rows(weight: torch.Tensor, first: int, last: int) -> None:
    torch.set_num_threads(1)
    config = TableConfig(name="t", rows=40, width=7)
    tables = EmbeddingTables.from_weights(
        [config], {"t": weight}, optimizer=TableOptimizerConfig(kind="sgd", lr=1.0)
    )
    for _ in range(100):
        tables(torch.arange(first, last).unsqueeze(1)).sum().backward()


@pytest.mark.slow
def test_two_processes_step_disjoint_rows_of_shared_memory() -> None:
    weight = torch.zeros(40, 7).share_memory_()  # type: ignore[no-untyped-call]
    context = torch.multiprocessing.get_context("spawn")
    workers = [context.Process(target=_step_rows, args=(weight, *rows)) for rows in ((0, 21), (21, 40))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert bool((weight == -100).all())
