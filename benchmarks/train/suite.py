"""Suite ``train``: samples per second of training, against peers on the same batches, in turns.

Networks are Kaggle's, tables have 1M rows at most or Kaggle's own sizes; rows are random, ids skewed.
hotrow's side is its real loop, with its loader; peers get batches that were made before. All train with SGD
in fp32, as facebookresearch/dlrm does. ``plain`` is a DLRM of ``nn.EmbeddingBag`` in plain PyTorch.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks._criteo import kaggle_schema, write_random
from benchmarks._plain import PlainContender, copied
from benchmarks.train._dlrm import ReferenceDLRM
from benchmarks.train._hotrow import Hotrow
from benchmarks.train._torchrec import TorchRec
from benchmarks.train.contender import Contender, ContenderMissingError
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.models import DLRMConfig
from hotrow.train import Recipe, make_recipe, train_model

ROUNDS, SKIPPED = 9, 2
STEPS = {128: 80, 2048: 8, 8192: 3}
"""Steps of a round, by batch size."""
CAPS = {"1M rows": 10**6, "Kaggle's": 2**31}
SETTINGS = {
    "tables.kind": "sgd",
    "tables.lr": "0.1",
    "dense.kind": "sgd",
    "dense.lr": "0.1",
    "schedule.decay": "constant",
    "schedule.warmup": "0",
}
WHOLE_ROWS, WHOLE_VALID, WHOLE_BATCH = 600_000, 30_000, 2048

Figures = dict[str, Any]


def run() -> Figures:
    """Measure all sizes; medians over the rounds, without the first two."""
    rows: list[Figures] = []
    notices: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for tables, cap in CAPS.items():
            most = ROUNDS * max(batch_size * steps for batch_size, steps in STEPS.items())
            dataset = write_random(Path(folder) / tables, kaggle_schema(cap=cap), train=[most], test=1)
            for batch_size in STEPS:
                found, missing = _measure(dataset, batch_size)
                rows.append({"tables": tables, "batch size": batch_size} | found)
                notices |= dict.fromkeys(missing)
                sys.stderr.write(f"{rows[-1]}\n")
        schema = kaggle_schema(cap=10**6)
        dataset = write_random(Path(folder) / "whole", schema, train=[WHOLE_ROWS], test=1, valid=WHOLE_VALID)
        whole = _whole(dataset, Path(folder) / "run")
    notes = {f"left out {number}": text for number, text in enumerate(notices, 1)}
    return {"threads": torch.get_num_threads(), **notes, "whole command": whole, "samples per second": rows}


def _recipe(dataset: Dataset, batch_size: int) -> Recipe:
    settings = SETTINGS | {"batch_size": str(batch_size)}
    return make_recipe("dlrm-kaggle", dataset.schema.inputs(), settings=settings)


def _measure(dataset: Dataset, batch_size: int) -> tuple[Figures, list[str]]:
    """Return the rates at one size, and who was left out."""
    recipe, steps = _recipe(dataset, batch_size), STEPS[batch_size]
    loader = Loader(
        dataset,
        "train",
        LoaderConfig(batch_size=batch_size, shuffle=True, max_rows=batch_size * steps * ROUNDS),
    )
    hotrow = Hotrow(recipe, loader)
    peers, missing = _peers(recipe, hotrow)
    seconds: dict[str, list[float]] = {name: [] for name in ("hotrow", *peers)}
    for turn in range(ROUNDS):
        with loader.epoch(start=turn * steps) as batches:
            copies = [copied(batch) for batch in islice(batches, steps)]
        seconds["hotrow"].append(_seconds(partial(hotrow.train, steps)))
        for name, peer in peers.items():
            seconds[name].append(_seconds(partial(_train, peer.step, [*map(peer.convert, copies)])))
    rates = {name: batch_size * steps / statistics.median(found[SKIPPED:]) for name, found in seconds.items()}
    del hotrow, peers
    gc.collect()  # tables of gigabytes
    ratios = {f"over {name}": rates["hotrow"] / rate for name, rate in rates.items() if name != "hotrow"}
    return {**rates, **ratios}, missing


def _peers(recipe: Recipe, hotrow: Hotrow) -> tuple[dict[str, Contender], list[str]]:
    config, train = recipe.model, recipe.train
    assert isinstance(config, DLRMConfig)
    makers: dict[str, Callable[[], Contender]] = {
        "plain": lambda: PlainContender(config, hotrow.initial, train),
        "facebookresearch/dlrm": lambda: ReferenceDLRM(config, train),
        "TorchRec": lambda: TorchRec(config, train),
    }
    found: dict[str, Contender] = {}
    missing = []
    for name, make in makers.items():
        try:
            found[name] = make()
        except ContenderMissingError as error:
            missing.append(str(error))
            sys.stderr.write(f"left out: {error}\n")
    return found, missing


def _whole(dataset: Dataset, out: Path) -> Figures:
    """Return how fast a whole run is, from loading to checkpoints, by its bare steps."""
    recipe = _recipe(dataset, WHOLE_BATCH)
    loader = Loader(dataset, "train", LoaderConfig(batch_size=WHOLE_BATCH, shuffle=True))
    with loader.epoch() as batches:
        given = [copied(batch) for batch in islice(batches, 2 * STEPS[WHOLE_BATCH])]
    hotrow = Hotrow(recipe, loader)
    bare = statistics.median(_seconds(partial(_train, hotrow.step, given)) for _ in range(ROUNDS))
    del hotrow
    gc.collect()
    started = time.perf_counter()
    report = train_model(dataset, recipe, out)
    seconds = time.perf_counter() - started
    bare_rate = WHOLE_BATCH * len(given) / bare
    return {
        "bare steps, samples/s": bare_rate,
        "training, samples/s": report.samples_per_second,
        "whole run, samples/s": report.samples / seconds,
        "training by bare steps": report.samples_per_second / bare_rate,
        "whole run by bare steps": report.samples / seconds / bare_rate,
    }


def _train(step: Callable[[Any], None], batches: Sequence[Any]) -> None:
    for batch in batches:
        step(batch)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
