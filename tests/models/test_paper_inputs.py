"""Sizes and costs that the models were published with, from harvard-acc/DeepRecSys at 1383176."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hotrow.models import paper_inputs, preset

PUBLISHED = [
    # preset, table GB, MLP MFLOP and gathered KiB of one item
    ("dlrm-rmc1", 4.10, 0.20, 80),
    ("dlrm-rmc2", 4.10, 0.64, 960),
    ("dlrm-rmc3", 2.56, 6.4, 25),
    ("wide-deep-paper", 3.46, 4.1, 3.4),
    ("ncf-paper", 0.086, 0.30, 1),
]


@pytest.mark.parametrize(("name", "gigabytes", "megaflop", "kibibytes"), PUBLISHED)
def test_published_sizes_come_out(name: str, gigabytes: float, megaflop: float, kibibytes: float) -> None:
    facts = preset(name, paper_inputs(name)).facts()
    assert facts.table_bytes / 1e9 == pytest.approx(gigabytes, abs=0.005)
    assert float(f"{facts.flop_per_item / 1e6:.2g}") == megaflop
    assert float(f"{facts.gathered_bytes_per_item / 1024:.2g}") == kibibytes


def test_mlperf() -> None:
    config = preset("dcnv2-mlperf", paper_inputs("dcnv2-mlperf"))
    facts = config.facts()
    assert sum(feature.length for feature in config.lists) == 214
    assert facts.table_bytes / 2**30 == pytest.approx(97, abs=0.5)
    assert facts.gathered_bytes_per_item == 214 * 128 * 4


def test_published_multi_task_sizes_come_out_for_one_task() -> None:
    """The published figure is for one task; each further one adds a tower."""
    config = preset("mt-wide-deep-paper", paper_inputs("mt-wide-deep-paper"))
    facts, one = config.facts(), replace(config, tasks=config.tasks[:1]).facts()
    tower = 2 * (512 * 256 + 256 * 128 + 128)
    assert facts.table_bytes / 1e9 == pytest.approx(3.90, abs=0.005)
    assert float(f"{one.flop_per_item / 1e6:.2g}") == 5.2
    assert facts.flop_per_item == one.flop_per_item + tower
    assert float(f"{facts.gathered_bytes_per_item / 1024:.2g}") == 5.4
