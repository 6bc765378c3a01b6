"""The update: each touched row's gradients are summed and its optimizer stepped in one launch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from hotrow.kernels.embedding_bag._types import ROW_STATES, STATES, Layout, States, Update
from hotrow.kernels.embedding_bag.rounding import rounding_salt
from hotrow.kernels.embedding_bag.triton.launch import tile
from hotrow.kernels.embedding_bag.triton.plan import Group, Plan
from hotrow.kernels.embedding_bag.triton.segments import Segments
from hotrow.kernels.embedding_bag.triton.update_kernel import update_kernel


def update_rows(layout: Layout, plan: Plan, segments: Segments, update: Update, states: States) -> None:
    """Step every touched row once: one launch for each row format and width."""
    rounds = update.stochastic and any(group.format != "fp32" for group in plan.groups)
    salts_T = _salts(layout, update, plan.records.device) if rounds else plan.records
    for number, group in enumerate(plan.groups):
        first, last = segments.bounds[number], segments.bounds[number + 1]
        if first == last:
            continue
        tables = group.last - group.first
        blocks = tile(group.width)
        update_kernel[(triton.cdiv(last - first, blocks["BLOCK_N"]),)](
            plan.records[group.first :],
            segments.keys,
            segments.starts,
            segments.counts,
            segments.sources,
            segments.sources if segments.scales is None else segments.scales,
            salts_T,
            first,
            last,
            tables,
            *_numbers(update),
            KIND=update.kind,
            CLIPS_NORM=update.clip_norm is not None,
            DECAY=update.decay if update.weight_decay else "none",
            FORMAT=group.format,
            WIDTH=group.width,
            ROW_BYTES=group.row_bytes,
            STATE_BYTES=_state_bytes(update, group),
            ALIGNED=group.aligned,
            STATES_ALIGNED=_states_aligned(states, group),
            SCALED=segments.scales is not None,
            ADDENDS_ALIGNED=segments.aligned,
            STOCHASTIC=update.stochastic and group.format != "fp32",
            BLOCK_T=triton.next_power_of_2(tables),
            **blocks,
        )


def _numbers(update: Update) -> Sequence[float]:
    """Return the optimizer's numbers in the order in which ``step_rows`` takes them."""
    return (
        float(update.lr),
        float(update.eps),
        float(update.beta1),
        float(update.beta2),
        1.0 - update.beta1,
        1.0 - update.beta2,
        1.0 - update.beta1**update.step,
        1.0 - update.beta2**update.step,
        float(update.weight_decay),
        1.0 - update.lr * update.weight_decay,
        math.inf if update.clip_value is None else float(update.clip_value),
        math.inf if update.clip_norm is None else float(update.clip_norm),
    )


def _salts(layout: Layout, update: Update, device: torch.device) -> Tensor:
    salts = [rounding_salt(update.seed, update.step, table) for table in range(len(layout.tables))]
    return torch.tensor(salts, dtype=torch.int64).to(device)


def _state_bytes(update: Update, group: Group) -> int:
    """Return the bytes of one row's state."""
    per_row = any((update.kind, name) in ROW_STATES for name in STATES[update.kind])
    return 4 if per_row else 4 * group.width


def _states_aligned(states: States, group: Group) -> bool:
    return group.width % 4 == 0 and all(state.data_ptr() % 16 == 0 for table in states for state in table)
