"""Suite ``embedding-lowbit``: lookups in tables of few bits, for inference; results are float32.

All contenders have the same rows (FBGEMM keeps int8's scale and bias in float16, the others in
float32) and look up the same ids; before they are timed, their results must agree. Items are the B
of a batch. ``X_gb_per_second`` counts rows of hotrow's format (``hotrow.kernels.row_formats``); the
other columns are those of ``training``.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Final

import torch

from benchmarks.embedding import _fbgemm, _hotrow, _torch, shapes
from benchmarks.embedding.bandwidth import readers
from benchmarks.embedding.figures import Figures, geometric_means, row
from benchmarks.embedding.ids import draw
from benchmarks.embedding.timing import Call, interleave
from hotrow.kernels.row_formats import RowFormat, row_bytes

SECONDS = 6.0
FORMATS: Final[tuple[RowFormat, ...]] = ("int8", "int4", "int2", "fp16")


def run() -> dict[str, object]:
    """Time every shape in every format; geometric means of the ratios for each format."""
    _fbgemm.load()
    rows = [_measure(shape, row_format) for row_format in FORMATS for shape in shapes.LOWBIT]
    return {
        "threads": torch.get_num_threads(),
        "lookups": rows,
        "geometric means": geometric_means("all shapes", rows, group="format"),
    }


@torch.no_grad()
def _measure(shape: shapes.Shape, row_format: RowFormat) -> Figures:
    gc.collect()  # the tables of the shape before
    batches = draw(shape)
    rows = _torch.pack(row_format, torch.rand(shape.rows[0], shape.width) - 0.5)
    contenders: dict[str, Call] = {
        "hotrow": _hotrow.low_bit(shape, row_format, rows, batches),
        "fbgemm": _fbgemm.low_bit(shape, row_format, rows, batches),
    }
    if row_format != "fp16":
        contenders["torch"] = _torch.low_bit(shape, row_format, rows, batches)
    _require_agreement(shape, contenders)
    size = row_bytes(row_format, shape.width)
    times = interleave(contenders | readers(shape, size, batches), seconds=SECONDS)
    mine = {name: times[name] for name in contenders}
    items: Figures = {f"{name}_items_per_second": shape.batch / time * 1e3 for name, time in mine.items()}
    return Figures(shape=shape.name, format=row_format) | items | row(shape, size, mine, times)


def _require_agreement(shape: shapes.Shape, contenders: Mapping[str, Call]) -> None:
    results = {name: call(0) for name, call in contenders.items()}
    expected = results["hotrow"]
    assert isinstance(expected, torch.Tensor)
    for name, result in results.items():
        assert isinstance(result, torch.Tensor)
        if not torch.allclose(result, expected, rtol=0.01, atol=0.02 * max(shape.bags) ** 0.5):
            raise RuntimeError(f"{shape.name}: {name} and hotrow disagree")
