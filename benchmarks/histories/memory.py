"""Peak memory of training steps with long histories, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.models import build_model, model_name, preset
from hotrow.types import Batch, Inputs, Jagged, ListInput

BATCH = 2048
ROWS = 100_000
PRESETS = ("din-small", "dien-small")
LENGTHS = (0, 50, 250)
"""Events of a row; 0 shows what libraries, model and tables take by themselves."""
STEPS = 3


def measure_memory() -> list[dict[str, Any]]:
    """Return the peak of each model at each length."""
    context = multiprocessing.get_context("spawn")
    rows = []
    for name in PRESETS:
        for length in LENGTHS:
            with ProcessPoolExecutor(1, context) as pool:
                peak = pool.submit(peak_mib, name, length).result()
            rows.append({"model": name, "batch": BATCH, "events of a row": length, "peak_rss_mib": peak})
    return rows


def peak_mib(name: str, length: int) -> float:
    """Train some steps on random rows; return the process's largest resident memory."""
    history = ListInput(name="history", kind="sequence", table="item", rows=ROWS, length=max(length, 1))
    inputs = Inputs(num_dense=0, names=("user", "item"), rows=(ROWS, ROWS), lists=(history,))
    config = preset(name, inputs)
    tables = EmbeddingTables(
        config.tables, features=config.features(), optimizer=TableOptimizerConfig(kind="adam", lr=1e-3)
    )
    model = build_model(model_name(name), config, tables)
    for step in range(STEPS):
        torch.manual_seed(step)
        ids = torch.randint(0, ROWS, (BATCH * length,), dtype=torch.int32)
        lists = Jagged(ids, torch.arange(BATCH + 1) * length)
        single = torch.randint(0, ROWS, (BATCH, 2), dtype=torch.int32)
        batch = Batch(torch.zeros(BATCH, 0), single, torch.randint(0, 2, (BATCH,)).float(), lists)
        logits, auxiliary = model.training_output(batch)
        assert batch.labels is not None
        loss = binary_cross_entropy_with_logits(logits, batch.labels, reduction="sum")
        (loss if auxiliary is None else loss + auxiliary).backward()  # type: ignore[no-untyped-call]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
