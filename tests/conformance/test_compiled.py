"""torch.compile takes what comes after the lookup in one graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from tests.conformance.batches import make_batch
from tests.conformance.building import make_model
from tests.conformance.cases import Case
from torch import Tensor, nn

from hotrow.embedding import EmbeddingTables
from hotrow.embedding.lookup import Lookup
from hotrow.models import RankingModel
from hotrow.types import Batch, Jagged


class Found(nn.Module):
    """Stands for the tables: what they found, as leaves that get gradients."""

    def __init__(self, found: Lookup) -> None:
        super().__init__()
        self.pooled = nn.Parameter(found.pooled)
        self.steps = nn.ParameterDict(found.sequences)

    def lookup(self, ids: Tensor | Jagged) -> Lookup:
        return Lookup(self.pooled, {name: self.steps[name] for name in self.steps})


def after_lookup(case: Case, batch: Batch) -> RankingModel:
    """Return a model whose lookup is done."""
    model = make_model(case)
    with torch.no_grad():
        found = model.embed(batch)
    model.embeddings = cast(EmbeddingTables, Found(found))
    return model


def gradients(model: RankingModel, forward: Callable[[Batch], Tensor], batch: Batch) -> dict[str, Tensor]:
    """Return the logits and the gradients of all that the network computed with."""
    model.zero_grad()
    logits = forward(batch)
    logits.sum().backward()  # type: ignore[no-untyped-call]
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **found}


def test_what_follows_the_lookup_is_one_graph(case: Case) -> None:
    torch.compiler.reset()
    batch = make_batch(case.inputs, 6)
    model = after_lookup(case, batch)
    expected = gradients(model, model, batch)
    got = gradients(model, torch.compile(model, fullgraph=True, backend="eager"), batch)
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, msg=name)
