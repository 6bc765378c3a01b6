from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from hotrow.layers.inference import Quantization
from hotrow.layers.inference.calibration import BINS, Calibration, Histogram, observe, quantization

CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)


def histogram(x: Tensor) -> Histogram:
    layer = nn.Linear(x.shape[1], 1)
    return observe(layer, {"a": layer}, lambda: x.split(100))["a"]  # type: ignore[no-untyped-call]


def in_steps(x: Tensor, form: Quantization) -> Tensor:
    return (x / form.scale + form.zero_point + 0.5).floor().clamp(0, 255)


def error(x: Tensor, calibration: Calibration) -> float:
    form = quantization(histogram(x), calibration)
    back = (in_steps(x, form) - form.zero_point) * form.scale
    return float((back - x).square().mean())


def drawn() -> Tensor:
    x = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0))
    x[3, 4] = 40.0  # far out
    return x


def test_counts_every_value() -> None:
    x = drawn()
    found = histogram(x)
    assert (found.low, found.high) == (float(x.min()), 40.0)
    assert found.counts.sum() == x.numel()
    assert float((found.counts * found.centres).sum() / x.numel()) == pytest.approx(float(x.mean()), abs=0.01)
    assert len(found.centres) == BINS


def test_the_least_error_is_the_least() -> None:
    errors = {calibration: error(drawn(), calibration) for calibration in CALIBRATIONS}
    assert errors["least-error"] == min(errors.values())


def test_one_value_far_out_does_not_widen_the_percentiles() -> None:
    assert quantization(histogram(drawn()), "percentile").scale < 0.05
    assert quantization(histogram(drawn()), "largest").scale > 0.15


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_zero_is_exact_and_in_range(calibration: Calibration) -> None:
    for x in (drawn(), drawn().relu(), drawn() - 60, torch.zeros(10, 3)):
        form = quantization(histogram(x), calibration)
        assert form.scale > 0
        assert 0 <= form.zero_point <= 255
        assert in_steps(torch.zeros(1), form).item() == form.zero_point
    assert quantization(histogram(drawn().relu()), calibration).zero_point == 0


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_no_rows(calibration: Calibration) -> None:
    assert quantization(histogram(torch.empty(0, 3)), calibration).scale == 1.0


def test_leaves_the_model_as_it_was() -> None:
    layer = nn.Linear(3, 1)
    observe(layer, {"a": layer}, lambda: [torch.ones(2, 3)])
    assert not layer._forward_pre_hooks
