"""What comes out of a model, for any number of examples and of ids in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.conformance.batches import make_batch, take
from tests.conformance.building import logits_of, loss_of, make_model
from tests.conformance.cases import ALL_CASES, Case

from hotrow.models import RankingModel, preset
from hotrow.types import Jagged


@pytest.mark.parametrize("some_case", ALL_CASES, ids=str)
def test_one_finite_logit_for_each_example_and_task(some_case: Case) -> None:
    model = make_model(some_case).eval()
    tasks = some_case.config.tasks
    for size in (0, 1, 7):
        out = logits_of(model, make_batch(some_case.inputs, size))
        assert out.shape == ((size,) if len(tasks) == 1 else (size, len(tasks)))
        assert out.dtype == torch.float32
        assert out.isfinite().all()


@pytest.mark.parametrize("size", [1, 5])
def test_trains_on_the_last_few_rows_of_an_epoch(case: Case, size: int) -> None:
    model = make_model(case, table_lr=0.1)
    loss_of(model, make_batch(case.inputs, size)).backward()  # type: ignore[no-untyped-call]
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_takes_examples_whose_lists_are_all_empty(case: Case) -> None:
    batch = make_batch(case.inputs, 5)
    bags = len(batch) * len(case.inputs.lists)
    nothing = Jagged(torch.empty(0, dtype=torch.int32), torch.zeros(bags + 1, dtype=torch.int64))
    batch = replace(batch, lists=nothing if bags else None)
    model = make_model(case, table_lr=0.1)
    loss_of(model, batch).backward()  # type: ignore[no-untyped-call]
    assert logits_of(model.eval(), batch).isfinite().all()


def test_takes_weights_of_listed_ids(case: Case, fitted: RankingModel) -> None:
    batch = make_batch(case.inputs, 9)
    if batch.lists is None or not preset(case.preset, case.inputs).lists:
        return
    weights = torch.ones(batch.lists.ids.numel())
    same = replace(batch, lists=replace(batch.lists, weights=weights))
    torch.testing.assert_close(logits_of(fitted, same), logits_of(fitted, batch))
    other = replace(batch, lists=replace(batch.lists, weights=weights * 3))
    assert not torch.equal(logits_of(fitted, other), logits_of(fitted, batch))


def test_every_feature_counts(case: Case, fitted: RankingModel) -> None:
    batch, other = make_batch(case.inputs, 40), make_batch(case.inputs, 40, seed=1)
    before = logits_of(fitted, batch)
    config = preset(case.preset, case.inputs)
    looked_at = {feature.name for feature in config.features()}
    for column in range(config.num_dense):
        dense = batch.dense.clone()
        dense[:, column] = other.dense[:, column]
        assert not torch.equal(logits_of(fitted, replace(batch, dense=dense)), before), column
    for column, name in enumerate(case.inputs.names):
        ids = batch.ids.clone()
        ids[:, column] = other.ids[:, column]
        counts = not torch.equal(logits_of(fitted, replace(batch, ids=ids)), before)
        assert counts == (name in looked_at), name


def test_examples_do_not_depend_on_their_batch(case: Case, fitted: RankingModel) -> None:
    batch = make_batch(case.inputs, 50)
    parts = [take(batch, part) for part in (range(1), range(1, 20), range(20, 50))]
    together = torch.cat([logits_of(fitted, part) for part in parts])
    torch.testing.assert_close(together, logits_of(fitted, batch))


def test_order_and_lengths_of_other_examples_do_not_matter(case: Case, fitted: RankingModel) -> None:
    batch = make_batch(case.inputs, 6, longest=300)
    order = [4, 0, 5, 2, 1, 3]
    torch.testing.assert_close(logits_of(fitted, take(batch, order)), logits_of(fitted, batch)[order])


def test_does_not_change_its_batch(case: Case) -> None:
    batch, same = make_batch(case.inputs, 11), make_batch(case.inputs, 11)
    loss_of(make_model(case, table_lr=0.1), batch).backward()  # type: ignore[no-untyped-call]
    for mine, theirs in ((batch.dense, same.dense), (batch.ids, same.ids), (batch.labels, same.labels)):
        assert mine is not None
        assert theirs is not None
        assert torch.equal(mine, theirs)
    if batch.lists is not None:
        assert same.lists is not None
        assert torch.equal(batch.lists.ids, same.lists.ids)
        assert torch.equal(batch.lists.offsets, same.lists.offsets)
