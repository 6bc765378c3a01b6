"""For each model a rule that it should learn, and the model without what it learns it by.

A rule labels random examples. The ablation is the same model in all else: what is called its special
part is switched off. Numbers are areas under the ROC curve on examples that were not trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import torch
from tests.conformance.batches import make_batch, make_full_batch, split_lists
from tests.conformance.building import build
from tests.conformance.cases import KINDS, PAIR, PLAIN, TASKS
from torch import Tensor, nn

from hotrow.layers.wukong import WukongLayer
from hotrow.models import (
    DIEN,
    DLRM,
    NCF,
    DCNv2,
    DeepFM,
    MTWideDeep,
    RankingModel,
    TwoTower,
    WideDeep,
    Wukong,
    preset,
)
from hotrow.types import Batch, Inputs

TABLE_LR = 0.1
TWO_LABELS = replace(PLAIN, tasks=TASKS)


class Label(Protocol):
    """A rule: from examples to labels, (B,) or (B, K)."""

    __name__: str

    def __call__(self, batch: Batch) -> Tensor:
        """Return the labels."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one model must learn.

    Attributes:
        model: its registered name.
        preset: what is fitted.
        inputs: of the examples.
        label: from examples to labels, (B,) or (B, K).
        fields: of the preset's configuration that are changed, for the model and its ablation.
        without: how the special part is switched off: fields of the configuration, or a change of the
            built model; None: there is no ablation, for the reason beside it.
        draw_batch: draws examples without regard to the rule.
        steps: of 128 examples.
        learnt: AUC that the model reaches, for every task.
        missed: AUC that the ablation stays below, for the last task.
    """

    model: str
    preset: str
    inputs: Inputs
    label: Label
    without: Mapping[str, Any] | Callable[[RankingModel], None] | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    draw_batch: Callable[..., Batch] = make_batch
    steps: int = 150
    learnt: float = 0.9
    missed: float = 0.65

    def __str__(self) -> str:
        return f"{self.model}-{self.label.__name__}"

    def draw(self, size: int, seed: int) -> Batch:
        """Draw labelled examples."""
        batch = self.draw_batch(self.inputs, size, seed=seed)
        return replace(batch, labels=self.label(batch))

    def build(self, *, ablated: bool) -> RankingModel:
        """Build the model, with or without its special part."""
        config: Any = replace(preset(self.preset, self.inputs), **self.fields)
        if ablated and isinstance(self.without, Mapping):
            config = replace(config, **self.without)
        model = build(self.preset, config, table_lr=TABLE_LR)
        if ablated and callable(self.without):
            self.without(model)
        return model


def parities_differ(batch: Batch) -> Tensor:
    """Label by two ids together; of neither alone can anything be told."""
    return ((batch.ids[:, 0] + batch.ids[:, 1]) % 2).float()


def without_products(model: RankingModel) -> None:
    """Set DLRM's dot products to zero: what follows sees the dense features alone."""
    assert isinstance(model, DLRM)
    width = model.config.width

    def keep_first(module: torch.nn.Module, inputs: object, out: Tensor) -> Tensor:
        return torch.cat([out[:, :width], torch.zeros_like(out[:, width:])], dim=1)

    model.interact.register_forward_hook(keep_first)


def summing(model: RankingModel) -> None:
    """Let GMF sum the two embeddings instead of multiplying them."""
    assert isinstance(model, NCF)
    model.product = torch.add  # type: ignore[assignment,method-assign]


def product_is_positive(batch: Batch) -> Tensor:
    """Label by the sign of a product of three: two ids' signs and a dense feature."""
    signs = batch.ids[:, :2] % 2 * 2 - 1
    return (signs[:, 0] * signs[:, 1] * batch.dense[:, 0] > 0).float()


def without_crosses(model: RankingModel) -> None:
    """Hand on what DCN-v2's crosses take: the deep network is left to find products."""
    assert isinstance(model, DCNv2)
    model.cross.register_forward_hook(lambda module, inputs, out: inputs[0])


def without_pairs(model: RankingModel) -> None:
    """Leave DeepFM its linear part and its deep network."""
    assert isinstance(model, DeepFM)
    silence(model.fm)


def without_deep(model: RankingModel) -> None:
    """Leave Wide & Deep its wide part."""
    assert isinstance(model, WideDeep)
    silence(model.deep)


def click_and_conversion(batch: Batch) -> Tensor:
    """Label clicks by the user and the item, and conversions, which need a click, by the item's category."""
    clicked = parities_differ(batch)
    return torch.stack([clicked, clicked * (batch.ids[:, 2] % 2)], dim=1)


def without_shared(model: RankingModel) -> None:
    """Leave the towers nothing of what they share."""
    assert isinstance(model, MTWideDeep)
    silence(model.shared)


def without_items(model: RankingModel) -> None:
    """Give all items the same vector."""
    assert isinstance(model, TwoTower)
    model.item.register_forward_hook(lambda module, inputs, out: torch.ones_like(out))


def is_in_history(batch: Batch) -> Tensor:
    """Label by whether the item is among those of the history."""
    bags = split_lists(batch)[0]
    return torch.tensor([float((bag == item).any()) for bag, item in zip(bags, batch.ids[:, 1], strict=True)])


def last_two_ascend(batch: Batch) -> Tensor:
    """Label by the order of the last two steps of a history, which are not told by what it holds."""
    return torch.tensor([float(bag[-2] < bag[-1]) for bag in split_lists(batch)[0]])


def averaging(model: RankingModel) -> None:
    """Let DIEN average its histories, which here is as wide as what its recurrent layers give."""
    assert isinstance(model, DIEN)
    model.evolutions = nn.ModuleList(nn.Identity() for _ in model.evolutions)


def silence(module: torch.nn.Module) -> None:
    """Make a module return zeros."""
    module.register_forward_hook(lambda module, inputs, out: torch.zeros_like(out))


def without_machines(model: RankingModel) -> None:
    """Leave of Wukong's layers the linear compression; their norms, which divide, go too."""
    assert isinstance(model, Wukong)
    for layer in model.layers:
        assert isinstance(layer, WukongLayer)
        layer.norm = nn.Identity()  # type: ignore[assignment]
        silence(layer.machine)


RULES: Final = (
    Rule(
        model="dcnv2",
        preset="dcnv2-small",
        inputs=PLAIN,
        label=product_is_positive,
        without=without_crosses,
        steps=170,
    ),
    # An average and a network tell it too, in the end; attention sees it at once.
    Rule(
        model="din",
        preset="din-small",
        inputs=KINDS["pair-sequence"],
        label=is_in_history,
        without={"attention": False},
        steps=300,
        learnt=0.97,
        missed=0.93,
    ),
    Rule(
        model="dien",
        preset="dien-small",
        inputs=KINDS["pair-sequence"],
        label=last_two_ascend,
        without=averaging,
        draw_batch=make_full_batch,
        steps=350,
    ),
    Rule(model="dlrm", preset="dlrm-small", inputs=PLAIN, label=parities_differ, without=without_products),
    Rule(model="ncf", preset="ncf-gmf", inputs=PAIR, label=parities_differ, without=summing),
    # In so few steps: the deep network learns it too, later.
    Rule(
        model="deepfm",
        preset="deepfm-small",
        inputs=PLAIN,
        label=parities_differ,
        without=without_pairs,
        steps=30,
    ),
    # Not the other way round: the deep network memorises single ids as fast as the wide part does.
    Rule(
        model="wide-deep",
        preset="wide-deep-small",
        inputs=PLAIN,
        label=parities_differ,
        without=without_deep,
    ),
    # Its last network could find products as well: it is made linear.
    Rule(
        model="wukong",
        preset="wukong-small",
        inputs=PLAIN,
        label=parities_differ,
        fields={"top": (1,)},
        without=without_machines,
    ),
    Rule(
        model="mt-wide-deep",
        preset="mt-wide-deep-small",
        inputs=TWO_LABELS,
        label=click_and_conversion,
        without=without_shared,
    ),
    # No ablation: the conversions' own network would learn the product, given the time.
    Rule(
        model="esmm",
        preset="esmm-small",
        inputs=TWO_LABELS,
        label=click_and_conversion,
        without=None,
    ),
    Rule(
        model="two-tower",
        preset="two-tower-small",
        inputs=PLAIN,
        label=parities_differ,
        without=without_items,
    ),
)
