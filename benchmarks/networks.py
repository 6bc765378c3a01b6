"""Models as they are served: networks in fp32, bf16 and int8 against eager ``nn.Linear``, by number of rows.

All have the same int8 tables, of at most ``MOST_ROWS`` rows each, and random weights. Contenders run one
after the other within each round, on one thread; figures are medians, in microseconds, of the processor time
of that thread, so that a machine that does other things too does not decide them. ``forward`` is a whole
model; ``parts`` is what one of them is made of. int8 is empty where no layer of a model is worth it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch

from hotrow.embedding import EmbeddingTables
from hotrow.kernels.quantize_rows import quantize_rows
from hotrow.layers.inference import Networks, Precision, can_compute, for_inference
from hotrow.layers.inference.calibration import observe, quantization
from hotrow.layers.inference.quantizable import layers_to_quantize
from hotrow.models import DLRM, ModelConfig, RankingModel, build_model, paper_inputs, preset
from hotrow.types import Batch, Inputs, Jagged

PRESETS = (
    *("dlrm-kaggle", "dlrm-rmc1", "dlrm-rmc2", "dlrm-rmc3", "ncf-paper", "wide-deep-paper"),
    *("mt-wide-deep-paper", "dcnv2-mlperf", "din-paper", "dien-paper"),
)
PARTS_OF = "dlrm-kaggle"
ROWS = (1, 25, 64, 270, 1000)
MOST_ROWS = 10_000  # of a table
CALIBRATION_ROWS = 256
SECONDS = 1.0  # for each model and number of rows
LEAST_ROUNDS, MOST_ROUNDS = 3, 300

Calls = Mapping[str, Callable[[], object]]


def run() -> dict[str, object]:
    """Time every model and number of rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            forward = [row for name in PRESETS for row in _forward(name)]
            return {"forward": forward, f"parts of {PARTS_OF}": _parts()}
    finally:
        torch.set_num_threads(threads)


def _forward(name: str) -> list[dict[str, object]]:
    inputs, models = _models(name)
    rows: list[dict[str, object]] = []
    for count in ROWS:
        batch = _draw(inputs, count, seed=count)
        times = _medians({key: partial(model, batch) for key, model in models.items()})
        figures = {f"{key} us": times.get(key, "") for key in ("eager", "fp32", "bf16", "int8")}
        best = min(times, key=times.__getitem__)
        rows.append({"model": name, "rows": count, **figures, "best / eager": times[best] / times["eager"]})
    return rows


def _parts() -> list[dict[str, object]]:
    inputs, models = _models(PARTS_OF)
    rows: list[dict[str, object]] = []
    for count in ROWS:
        batch = _draw(inputs, count, seed=count)
        for key, model in models.items():
            times = _medians(_parts_of(model, batch))
            rows.append({"networks": key, "rows": count, **{f"{part} us": us for part, us in times.items()}})
    return rows


def _parts_of(model: RankingModel, batch: Batch) -> Calls:
    assert isinstance(model, DLRM)
    vectors, width = model.config.vectors, model.config.width
    met = torch.cat([model.bottom(batch.dense), model.embed(batch).pooled], dim=1).view(-1, vectors, width)
    crossed = model.interact(met)
    return {
        "whole": lambda: model(batch),
        "lookup": lambda: model.embed(batch),
        "bottom": lambda: model.bottom(batch.dense),
        "interaction": lambda: model.interact(met),
        "top": lambda: model.top(crossed),
    }


def _models(name: str) -> tuple[Inputs, dict[str, RankingModel]]:
    """Return a preset eagerly computed, and in every precision that it has here."""
    inputs = _small(paper_inputs(name))
    config = preset(name, inputs)
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=None)
    rows = {table.name: quantize_rows(tables.table_weight(table.name), "int8") for table in config.tables}
    config = config.with_formats({table.name: "int8" for table in config.tables})
    tables = EmbeddingTables.from_weights(config.tables, rows, features=config.features())
    models = {"eager": _build(name, config, tables)}
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "int8")
    for precision in precisions:
        networks = _networks(models["eager"], precision, _draw(inputs, CALIBRATION_ROWS, seed=0))
        if networks is not None and can_compute(precision):
            models[precision] = for_inference(_build(name, config, tables), networks)
    return inputs, models


def _build(name: str, config: ModelConfig, tables: EmbeddingTables) -> RankingModel:
    return build_model(name, config, tables).requires_grad_(requires_grad=False).eval()


def _networks(model: RankingModel, precision: Precision, batch: Batch) -> Networks | None:
    if precision != "int8":
        return Networks(precision=precision)
    seen = observe(model, layers_to_quantize(model), lambda: [batch])
    forms = {layer: quantization(inputs, "least-error") for layer, inputs in seen.items()}
    return Networks(precision="int8", inputs=forms) if forms else None


def _small(inputs: Inputs) -> Inputs:
    return replace(
        inputs,
        rows=tuple(min(rows, MOST_ROWS) for rows in inputs.rows),
        lists=tuple(replace(feature, rows=min(feature.rows, MOST_ROWS)) for feature in inputs.lists),
    )


def _draw(inputs: Inputs, count: int, *, seed: int) -> Batch:
    """Return rows whose lists are as long as the inputs say."""
    generator = torch.Generator().manual_seed(seed)
    dense = torch.randn(count, inputs.num_dense, generator=generator)
    ids = torch.empty(count, len(inputs.names), dtype=torch.int32)
    for column, rows in enumerate(inputs.rows):
        ids[:, column] = torch.randint(rows, (count,), generator=generator)
    if not inputs.lists:
        return Batch(dense, ids)
    lengths = torch.tensor([feature.length for feature in inputs.lists]).repeat_interleave(count)
    listed = [
        torch.randint(f.rows, (count * f.length,), generator=generator, dtype=torch.int32)
        for f in inputs.lists
    ]
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    return Batch(dense, ids, lists=Jagged(torch.cat(listed), offsets))


def _medians(calls: Calls) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    started = time.perf_counter()
    for number in range(-1, MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.perf_counter() - started > SECONDS:
            break
        for name, call in calls.items():
            before = time.thread_time_ns()
            call()
            if number >= 0:
                times[name].append((time.thread_time_ns() - before) / 1e3)
    return {name: statistics.median(found) for name, found in times.items()}
