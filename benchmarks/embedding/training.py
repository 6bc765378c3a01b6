"""Suite ``embedding``: tables that are trained.

``forward`` is a lookup without gradient; ``step`` is lookup, backward and optimizer. All contenders
start from the same rows and look up the same ids; before they are timed, their results must agree.

``X_gb_per_second`` counts the rows read by a forward (B * sum of L rows), whatever else is read or
written. ``random_`` and ``same_gb_per_second`` are what ``bandwidth`` measured in the same rounds, and
``share_of_`` them is hotrow's. ``over_X`` is how many times X's time is hotrow's. In ``step``, torch runs
SGD wherever the optimizer is row-wise Adagrad, which it has not got.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from benchmarks.embedding import shapes
from benchmarks.embedding._fbgemm import FbgemmTables, load
from benchmarks.embedding._hotrow import HotrowTables
from benchmarks.embedding._torch import TorchTables
from benchmarks.embedding.bandwidth import readers
from benchmarks.embedding.figures import Figures, geometric_means, row
from benchmarks.embedding.ids import draw
from benchmarks.embedding.task import Contender, Task
from benchmarks.embedding.timing import Call, interleave

SECONDS = 11.0
SECONDS_VARIED = 6.0

VARIATIONS: dict[str, Callable[[shapes.Shape], Task]] = {
    "exact Adagrad": functools.partial(Task, optimizer="adagrad"),
    "fp16 rows rounded to nearest, row-wise Adagrad": functools.partial(Task, format="fp16"),
    "fp16 rows, hotrow's rounded stochastically": functools.partial(Task, format="fp16", stochastic=True),
    "no pooling, row-wise Adagrad": functools.partial(Task, pooled=False),
    "SGD": functools.partial(Task, optimizer="sgd"),
}


def run() -> dict[str, object]:
    """Time the six shapes, the models' tables and the variations; geometric means of the ratios."""
    load()
    main = [figures for shape in shapes.TRAINING for figures in _measure(Task(shape), SECONDS)]
    models = [figures for shape in shapes.DEEPRECSYS for figures in _measure(Task(shape), SECONDS)]
    varied = [
        Figures(variation=name) | figures
        for name, task in VARIATIONS.items()
        for shape in shapes.VARIED
        for figures in _measure(task(shape), SECONDS_VARIED)
    ]
    first = shapes.TRAINING[0].name
    return {
        "threads": torch.get_num_threads(),
        "tables: fp32, row-wise Adagrad": main,
        "tables of DeepRecSys models: fp32, row-wise Adagrad": models,
        "variations": varied,
        "geometric means": [
            *geometric_means("all six shapes", main),
            *geometric_means("last five of them", [figures for figures in main if figures["shape"] != first]),
            *geometric_means("DeepRecSys models", models),
        ],
    }


def _measure(task: Task, seconds: float) -> list[Figures]:
    """Return the figures of forward and step."""
    gc.collect()  # the tables of the shape before
    batches = draw(task.shape)
    ours = HotrowTables(task, batches)
    contenders: dict[str, Contender] = {
        "hotrow": ours,
        "fbgemm": FbgemmTables(task, batches, ours.weights()),
    }
    if task.format == "fp32":
        contenders["torch"] = TorchTables(task, batches, ours.weights())
    with torch.no_grad():
        direction = torch.randn_like(torch.cat(ours.look_up(0)))
    _require_agreement(task, contenders, direction)
    calls: dict[str, Call] = {}
    for name, contender in contenders.items():
        calls[f"{name} forward"] = functools.partial(_forward, contender)
    calls |= readers(task.shape, task.row_bytes, batches)
    for name, contender in contenders.items():
        calls[f"{name} step"] = functools.partial(_step, contender, direction)
    times = interleave(calls, seconds=seconds)
    return [
        Figures({"shape": task.shape.name, "pass": which})
        | row(task.shape, task.row_bytes, {name: times[f"{name} {which}"] for name in contenders}, times)
        for which in ("forward", "step")
    ]


def _forward(contender: Contender, batch: int) -> None:
    with torch.no_grad():
        contender.look_up(batch)


def _step(contender: Contender, direction: Tensor, batch: int) -> None:
    contender.update(contender.look_up(batch), direction)


def _require_agreement(task: Task, contenders: Mapping[str, Contender], direction: Tensor) -> None:
    """Compare the results of a batch, and again after a step on it where the optimizers are the same."""
    _compare(task, contenders)
    for contender in contenders.values():
        _step(contender, direction, 0)
    if task.optimizer == "rowwise_adagrad":
        contenders = {name: contender for name, contender in contenders.items() if name != "torch"}
    _compare(task, contenders)


@torch.no_grad()
def _compare(task: Task, contenders: Mapping[str, Contender]) -> None:
    results = {name: torch.cat(contender.look_up(0)) for name, contender in contenders.items()}
    for name, result in results.items():
        close = torch.isclose(result, results["hotrow"], rtol=0.01, atol=1e-3)
        if float(close.float().mean()) < 0.999:
            raise RuntimeError(f"{task}: the results of {name} and hotrow differ")
