"""Fewer bits, nearly the same logits.

Differences are measured against the spread of the logits over the batch: what they are compared with
when candidates are ranked. bfloat16 rounds to 8 significant bits, int8 rows to 1/510 of a row's range,
int4 rows to 1/30; int8 layers round weights to 1/128 of an output's largest and inputs to 1/255 of their
range.
"""

from __future__ import annotations

import pytest
import torch
from tests.conformance.batches import make_batch
from tests.conformance.building import logits_of, networks_in, served
from tests.conformance.cases import Case
from torch import Tensor

from hotrow.embedding import EmbeddingTables
from hotrow.kernels.quantize_rows import quantize_rows
from hotrow.kernels.row_formats import QuantizedFormat
from hotrow.layers.inference import Precision, can_compute
from hotrow.models import RankingModel, build_model


def quantised(case: Case, model: RankingModel, row_format: QuantizedFormat) -> RankingModel:
    """Return the model with its tables in another format."""
    config = case.config.with_formats({table.name: row_format for table in case.config.tables})
    rows = {
        table.name: quantize_rows(model.embeddings.table_weight(table.name), row_format)
        for table in config.tables
    }
    tables = EmbeddingTables.from_weights(config.tables, rows, features=config.features())
    small = build_model(case.preset, config, tables).eval()
    networks = {name: tensor for name, tensor in model.state_dict().items() if "embeddings." not in name}
    small.load_state_dict(networks | {f"embeddings.{k}": v for k, v in tables.state_dict().items()})
    return small


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Return the root mean square of the differences over the standard deviation."""
    error = (got.float() - expected).square().mean().sqrt()
    return float(error / expected.std())


@pytest.mark.parametrize(("row_format", "tolerance"), [("int8", 0.01), ("int4", 0.15)])
def test_quantised_tables(
    case: Case, fitted: RankingModel, row_format: QuantizedFormat, tolerance: float
) -> None:
    batch = make_batch(case.inputs, 200)
    small = quantised(case, fitted, row_format)
    got, expected = logits_of(small, batch), logits_of(fitted, batch)
    assert not torch.equal(got, expected)
    assert relative_error(got, expected) < tolerance


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.03), ("int8", 0.1)])
def test_networks_in_fewer_bits(
    case: Case, fitted: RankingModel, precision: Precision, tolerance: float
) -> None:
    if not can_compute(precision):
        pytest.skip(f"this processor has no kernels for {precision}")
    networks, batch = networks_in(precision, case, fitted), make_batch(case.inputs, 200)
    got, expected = logits_of(served(case, fitted, networks), batch), logits_of(fitted, batch)
    assert got.dtype == torch.float32
    assert relative_error(got, expected) < tolerance
    are_in_fp32 = networks.precision == "fp32" or case.preset == "ncf-gmf"  # which has a logit, no network
    assert are_in_fp32 or relative_error(got, expected) > 1e-5


def test_bf16_autocast(case: Case, fitted: RankingModel) -> None:
    batch = make_batch(case.inputs, 200)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = logits_of(fitted, batch)
    expected = logits_of(fitted, batch)
    assert got.shape == expected.shape
    assert not torch.equal(got, expected)
    assert relative_error(got, expected) < 0.03
