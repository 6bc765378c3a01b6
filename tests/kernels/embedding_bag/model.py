"""The lookup, its gradients and its optimizers as loops in float64, apart from the package's reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tests.kernels.embedding_bag.problems import Floats, Problem

from hotrow.kernels.embedding_bag import ROW_STATES, STATES, Update


@dataclass
class Visit:
    """One lookup that is not padding."""

    position: int  # in flattened ids
    table: int
    row: int
    share: float  # one over the bag's lookups for mean pooling, else 1
    weight: float
    place: Floats  # (D,) view of the result it goes to


def visits(problem: Problem, pooled: Floats, sequences: Floats) -> Iterator[Visit]:
    """Walk through all lookups; places are views of the arrays given."""
    layout, bags = problem.layout, problem.bags
    ids = bags.ids.reshape(-1).tolist()
    weights = [1.0] * len(ids) if bags.weights is None else bags.weights.reshape(-1).tolist()
    offsets = None if bags.offsets is None else bags.offsets.tolist()
    features, begin = len(layout.features), 0
    for f, spec in enumerate(layout.features):
        width, column = layout.tables[spec.table].width, layout.columns[f]
        for b in range(pooled.shape[0]):
            bag = [b * features + f]
            if offsets is not None:
                bag = list(range(*offsets[f * len(pooled) + b : f * len(pooled) + b + 2]))
            real = sum(ids[i] != spec.padding for i in bag)
            for i in bag:
                place = pooled[b, column : column + width]
                if spec.pooling == "none":
                    place, begin = sequences[begin : begin + width], begin + width
                if ids[i] != spec.padding:
                    share = 1.0 / real if spec.pooling == "mean" else 1.0
                    yield Visit(i, spec.table, ids[i], share, weights[i], place)


def forward(problem: Problem) -> tuple[Floats, Floats]:
    """Return pooled and sequences."""
    pooled = np.zeros(tuple(problem.grad.pooled.shape))
    sequences = np.zeros(tuple(problem.grad.sequences.shape))
    for visit in visits(problem, pooled, sequences):
        visit.place += visit.share * visit.weight * problem.values[visit.table][visit.row]
    return pooled, sequences


def row_gradients(problem: Problem) -> list[dict[int, Floats]]:
    """Return for each table the summed gradient of each touched row."""
    totals: list[dict[int, Floats]] = [{} for _ in problem.tables]
    for visit in visits(problem, *_gradient(problem)):
        total = totals[visit.table].setdefault(visit.row, np.zeros(visit.place.shape))
        total += visit.share * visit.weight * visit.place
    return totals


def weights_gradient(problem: Problem) -> Floats:
    """Return the gradient of the lookups' weights, shaped as ids."""
    result = np.zeros(problem.bags.ids.numel())
    for visit in visits(problem, *_gradient(problem)):
        result[visit.position] = visit.share * (problem.values[visit.table][visit.row] @ visit.place)
    return result.reshape(tuple(problem.bags.ids.shape))


def zero_states(problem: Problem, update: Update) -> list[list[Floats]]:
    return [
        [
            np.zeros(t.rows if (update.kind, name) in ROW_STATES else (t.rows, t.width))
            for name in STATES[update.kind]
        ]
        for t in problem.layout.tables
    ]


def step(problem: Problem, states: list[list[Floats]], update: Update) -> None:
    """Step the optimizer on ``problem.values`` and states, in place."""
    for table, gradients in enumerate(row_gradients(problem)):
        for row, gradient in gradients.items():
            step_row(problem.values[table], states[table], row, gradient, update)


def step_row(values: Floats, states: list[Floats], row: int, gradient: Floats, update: Update) -> None:
    """Step one row."""
    w, g, lr, decay = values[row], _clipped(gradient, update), update.lr, update.weight_decay
    if update.decay == "l2":
        g = g + decay * w
    elif update.kind != "lamb":
        w = w * (1 - lr * decay)
    if update.kind == "sgd":
        change = g
    elif update.kind == "momentum":
        change = states[0][row] = update.beta1 * states[0][row] + g
    elif update.kind in ("adagrad", "rowwise_adagrad"):
        squares = g * g if update.kind == "adagrad" else np.mean(g * g)
        states[0][row] += squares
        change = g / (np.sqrt(states[0][row]) + update.eps)
    else:
        m = states[0][row] = update.beta1 * states[0][row] + (1 - update.beta1) * g
        v = states[1][row] = update.beta2 * states[1][row] + (1 - update.beta2) * g * g
        change = m / (1 - update.beta1**update.step)
        change = change / (np.sqrt(v / (1 - update.beta2**update.step)) + update.eps)
    if update.kind == "lamb":
        change = change + (decay * w if update.decay == "decoupled" else 0.0)
        row_norm, step_norm = math.sqrt(w @ w), math.sqrt(change @ change)
        change = change * (row_norm / step_norm if row_norm > 0 and step_norm > 0 else 1.0)
    values[row] = w - lr * change


def _clipped(g: Floats, update: Update) -> Floats:
    if update.clip_value is not None:
        g = np.clip(g, -update.clip_value, update.clip_value)
    norm = math.sqrt(g @ g)
    if update.clip_norm is not None and norm > update.clip_norm:
        g = g * (update.clip_norm / norm)
    return g


def _gradient(problem: Problem) -> tuple[Floats, Floats]:
    return problem.grad.pooled.double().numpy(), problem.grad.sequences.double().numpy()
