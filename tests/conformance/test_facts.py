"""What a configuration says of a model, against the model."""

from __future__ import annotations

from tests.conformance.batches import make_batch, make_full_batch
from tests.conformance.building import build, logits_of, make_model
from tests.conformance.cases import Case
from torch.utils.flop_counter import FlopCounterMode

SIZE = 8


def test_parameters_and_table_bytes(case: Case) -> None:
    model, facts = make_model(case), case.config.facts()
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert facts.table_bytes == sum(parameter.nbytes for parameter in model.embeddings.parameters())


def test_gathered_bytes(case: Case) -> None:
    config = case.config
    width = {table.name: table.width for table in config.tables}
    length = {feature.name: feature.length for feature in case.inputs.lists}
    expected = sum(
        4 * width[feature.table] * length.get(feature.name.removeprefix("linear."), 1)
        for feature in config.features()
    )
    assert config.facts().gathered_bytes_per_item == expected


def test_flop_against_pytorchs_count(case: Case) -> None:
    """PyTorch counts matrix products; facts may add what interactions do besides them."""
    model = make_model(case).eval()
    batch = make_full_batch(case.inputs, SIZE)
    with FlopCounterMode(display=False) as counter:
        logits_of(model, batch)
    counted = counter.get_total_flops() / SIZE
    assert counted <= case.config.facts().flop_per_item <= 1.3 * counted


def test_another_width_reaches_tables_and_networks(case: Case) -> None:
    config = case.config.with_width(24)
    assert {table.width for table in config.tables} <= {1, 24}
    model = build(case.preset, config).eval()
    assert logits_of(model, make_batch(case.inputs, 3)).isfinite().all()
    assert config.facts().parameters == sum(parameter.numel() for parameter in model.parameters())
