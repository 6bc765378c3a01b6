"""Each model learns a planted rule, and not without the part that it is known for."""

from __future__ import annotations

import pytest
from tests.conformance.building import fit, logits_of
from tests.conformance.rules import RULES, Rule

from hotrow.metrics import auc
from hotrow.models import model_name, presets


def aucs(rule: Rule, *, ablated: bool) -> list[float]:
    """Fit and return the AUC of each task on new examples."""
    model = rule.build(ablated=ablated)
    fit(model, lambda step: rule.draw(128, seed=step), steps=rule.steps)
    batch = rule.draw(1000, seed=10_000)
    assert batch.labels is not None
    columns = (x.reshape(len(batch), -1).numpy().T for x in (batch.labels, logits_of(model, batch)))
    return [auc(*task) for task in zip(*columns, strict=True)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_learns_its_rule(rule: Rule) -> None:
    assert min(aucs(rule, ablated=False)) > rule.learnt


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.without], ids=str)
def test_does_not_learn_it_without_its_special_part(rule: Rule) -> None:
    assert aucs(rule, ablated=True)[-1] < rule.missed


def test_every_model_has_a_rule() -> None:
    assert {rule.model for rule in RULES} == {model_name(name) for name in presets()}
