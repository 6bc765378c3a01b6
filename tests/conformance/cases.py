"""Small inputs of several kinds, and which of them each preset is tested with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hotrow.models import ModelConfig, preset, presets, presets_for
from hotrow.types import Inputs, ListInput

PAIR: Final = Inputs(num_dense=0, names=("user", "item"), rows=(50, 40))
PLAIN: Final = Inputs(num_dense=5, names=("user", "item", "category", "flag"), rows=(50, 40, 12, 2))
BAGS: Final = (
    ListInput(name="tags", kind="bag", table="tags", rows=30, length=3),
    ListInput(name="liked", kind="bag", table="item", rows=40, length=2, pooling="sum"),
)
STEPS: Final = (
    ListInput(name="history", kind="sequence", table="item", rows=40, length=4),
    ListInput(name="history_category", kind="sequence", table="category", rows=12, length=4),
)
SEARCHES: Final = ListInput(name="searches", kind="sequence", table="searches", rows=20, length=3)
TASKS: Final = ("click", "conversion")

KINDS: Final[dict[str, Inputs]] = {
    "pair": PAIR,
    "plain": PLAIN,
    "bags": replace(PLAIN, lists=BAGS),
    "sequence": replace(PLAIN, lists=STEPS[:1]),
    "aligned": replace(PLAIN, lists=STEPS),
    "two-sequences": replace(PLAIN, lists=(STEPS[0], SEARCHES)),
    "pair-sequence": replace(PAIR, lists=STEPS[:1]),
    "tasks": replace(PLAIN, tasks=TASKS),
    "everything": replace(PLAIN, lists=(*BAGS, *STEPS, SEARCHES), tasks=TASKS),
}
"""Inputs by what is special about them, the richest last."""


@dataclass(frozen=True)
class Case:
    """A preset and a kind of inputs that it takes."""

    preset: str
    kind: str

    @property
    def inputs(self) -> Inputs:
        return KINDS[self.kind]

    @property
    def config(self) -> ModelConfig:
        return preset(self.preset, self.inputs)

    def __str__(self) -> str:
        return f"{self.preset}-{self.kind}"


ALL_CASES: Final = tuple(
    Case(name, kind) for name in presets() for kind, inputs in KINDS.items() if name in presets_for(inputs)
)
"""Every preset with every kind of inputs that it takes."""

CASES: Final = tuple({case.preset: case for case in ALL_CASES}.values())
"""Every preset with the richest of them."""
