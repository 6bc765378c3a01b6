from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, added, crossed, draw, make_model

from hotrow.errors import ConfigError
from hotrow.models import ESMM, ESMMConfig
from hotrow.models.esmm import esmm_paper, esmm_small, logit_of_product
from hotrow.types import Batch, Inputs

TWO = replace(INPUTS, tasks=("click", "conversion"))


def test_paper_sizes() -> None:
    config = esmm_paper(replace(WITH_LISTS, tasks=("click", "conversion", "return")))
    assert config.tasks == ("click", "conversion")
    assert config.tower_sizes == (3 + 5 * 18, 360, 200, 80, 1)


def test_conversions_are_clicks_times_conversions_of_clicks() -> None:
    model = make_model("esmm", esmm_small(TWO))
    assert isinstance(model, ESMM)
    batch = draw(INPUTS, 7, 5)
    x = torch.cat([batch.dense, model.embed(batch).pooled], dim=1)
    click, given_click = model.click(x).sigmoid(), model.conversion(x).sigmoid()
    expected = torch.cat([click, click * given_click], dim=1)
    torch.testing.assert_close(model(batch).sigmoid(), expected)


@settings(max_examples=200, deadline=None)
@given(st.floats(-30, 30), st.floats(-30, 30))
def test_logit_of_a_product(a: float, b: float) -> None:
    logits = torch.tensor([a, b], dtype=torch.float64)
    p = logits.sigmoid().prod()
    odds = p / (-torch.expm1(torch.nn.functional.logsigmoid(logits).sum()))
    got = logit_of_product(*logits.float())
    torch.testing.assert_close(got.double(), odds.log(), rtol=1e-5, atol=1e-5)


def test_logit_of_a_product_stays_finite_with_a_gradient() -> None:
    a = torch.tensor([-500.0, 500.0, 500.0, -500.0], requires_grad=True)
    b = torch.tensor([500.0, 500.0, -500.0, -500.0], requires_grad=True)
    out = logit_of_product(a, b)
    torch.testing.assert_close(out, torch.tensor([-500.0, 499.3069, -500.0, -1000.0]))
    out.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(a.grad, torch.tensor([1.0, 0.5, 0.0, 1.0]))
    torch.testing.assert_close(b.grad, torch.tensor([0.0, 0.5, 1.0, 1.0]))


def test_learns_clicks_and_what_follows_them() -> None:
    def clicked_and_bought(inputs: Inputs, size: int, seed: int) -> Batch:
        batch, wish = crossed(inputs, size, seed), added(inputs, size, seed)
        assert batch.labels is not None
        assert wish.labels is not None
        return replace(batch, labels=torch.stack([batch.labels, batch.labels * wish.labels], dim=1))

    assert accuracy("esmm", esmm_small(TWO), clicked_and_bought, steps=100) > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("click",)}, r"tasks: got \('click',\), expected two labels: click and conversion"),
        ({"tower": ()}, r"tower: got \(\), expected positive widths, the last of them 1"),
        ({"tables": ()}, "tables: got .*at least one table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(esmm_small(TWO))
    with pytest.raises(ConfigError, match=message):
        ESMMConfig(**{**fields, **change})
