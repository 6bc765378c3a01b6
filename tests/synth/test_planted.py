"""The planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.errors import ConfigError
from hotrow.metrics import auc
from hotrow.synth.criteo_tables import IDS
from hotrow.synth.planted import PAIRS, PlantedConfig, PlantedModel
from hotrow.synth.rows import MISSING_LEVEL, RowChunk, draw_rows

FEATURES = list(IDS)


@pytest.fixture(scope="module")
def model() -> PlantedModel:
    return PlantedModel(5, PlantedConfig())


@pytest.fixture(scope="module")
def rows() -> RowChunk:
    return draw_rows(5, 0)


def rare_mask(rows: RowChunk, *names: str) -> np.ndarray:
    mask = np.zeros(rows.ranks.shape, dtype=np.bool_)
    mask[[FEATURES.index(name) for name in names]] = True
    return mask


def test_parts_have_the_configured_strength(rows: RowChunk) -> None:
    config = PlantedConfig(click_rate=0.1, dense_sd=0.5, ids_sd=0.9, pairs_sd=0.4)
    model = PlantedModel(5, config)
    parts = model.parts(rows)
    assert np.std(parts.dense) == pytest.approx(0.5, rel=0.05)
    assert np.std(parts.ids) == pytest.approx(0.9, rel=0.05)
    assert np.std(parts.pairs) == pytest.approx(0.4, rel=0.05)
    assert model.clicks(rows).mean() == pytest.approx(0.1, abs=0.01)


def test_click_rate_is_criteos(model: PlantedModel, rows: RowChunk) -> None:
    assert model.clicks(rows).mean() == pytest.approx(0.256, abs=0.012)


def test_labels_follow_the_probabilities(model: PlantedModel, rows: RowChunk) -> None:
    p = 1 / (1 + np.exp(-model.logits(rows).astype(np.float64)))
    clicks = model.clicks(rows)
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1)):
        inside = (p >= low) & (p < high)
        spread = 4 * np.sqrt(np.mean(p[inside] * (1 - p[inside])) / inside.sum())
        assert abs(clicks[inside].mean() - p[inside].mean()) < spread


def test_every_part_matters(model: PlantedModel, rows: RowChunk) -> None:
    parts, clicks = model.parts(rows), model.clicks(rows)
    truth = auc(clicks, parts.dense + parts.ids + parts.pairs)
    assert 0.77 < truth < 0.84
    assert truth - auc(clicks, parts.ids + parts.pairs) > 0.04
    assert truth - auc(clicks, parts.dense + parts.pairs) > 0.03
    assert truth - auc(clicks, parts.dense + parts.ids) > 0.008


def test_a_missing_integer_has_its_own_effect(model: PlantedModel, rows: RowChunk) -> None:
    one = rows.rows(0, 1)
    absent = RowChunk(one.levels.copy(), one.ranks, one.coins)
    absent.levels[1] = MISSING_LEVEL
    lowest = RowChunk(one.levels.copy(), one.ranks, one.coins)
    lowest.levels[1] = 0
    assert model.parts(absent).dense != model.parts(lowest).dense


def test_another_seed_is_another_truth(rows: RowChunk) -> None:
    first, second = (PlantedModel(seed, PlantedConfig()).parts(rows) for seed in (5, 6))
    assert abs(np.corrcoef(first.ids, second.ids)[0, 1]) < 0.5
    assert abs(np.corrcoef(first.dense, second.dense)[0, 1]) < 0.95


def test_nothing_rare_leaves_the_truth(model: PlantedModel, rows: RowChunk) -> None:
    part = rows.rows(0, 1000)
    np.testing.assert_array_equal(model.learnable_logits(part, rare_mask(part)), model.logits(part))


def test_all_rare_leaves_the_dense_effects(model: PlantedModel, rows: RowChunk) -> None:
    part = rows.rows(0, 1000)
    parts = model.parts(part, rare_mask(part, *FEATURES))
    assert not parts.ids.any()
    assert not parts.pairs.any()
    np.testing.assert_array_equal(parts.dense, model.parts(part).dense)
    assert np.all(parts.unknown_variance == parts.unknown_variance[0])


@pytest.mark.parametrize("rare", [("C4",), ("C23",), ("C14", "C24"), ("C3", "C14", "C17", "C23", "C26")])
def test_mean_and_variance_of_what_is_averaged_out(model: PlantedModel, rare: tuple[str, ...]) -> None:
    """Redraw the rare ids of one row many times: their effects are then draws from the prior."""
    draws = 40_000
    one = draw_rows(5, 1).rows(7, 8)
    ranks = np.repeat(one.ranks, draws, axis=1)
    for name in rare:
        ranks[FEATURES.index(name)] = 20_000_000 + np.arange(draws)  # beyond all real ranks
    many = RowChunk(np.repeat(one.levels, draws, axis=1), ranks, np.repeat(one.coins, draws))
    averaged = model.parts(many.rows(0, 1), rare_mask(one, *rare))
    true = model.parts(many)
    variance = float(averaged.unknown_variance[0])
    total = true.ids + true.pairs
    assert np.var(total) == pytest.approx(variance, rel=0.05)
    assert np.mean(total) == pytest.approx(
        float(averaged.ids[0] + averaged.pairs[0]), abs=5 * np.sqrt(variance / draws)
    )


def test_damping_approximates_the_mean_probability(model: PlantedModel) -> None:
    rng = np.random.default_rng(0)
    for mean, variance in ((-1.2, 0.3), (0.8, 1.0), (-3.0, 0.6)):
        exact = float(np.mean(1 / (1 + np.exp(-(mean + np.sqrt(variance) * rng.normal(size=400_000))))))
        damped = 1 / (1 + np.exp(-mean / np.sqrt(1 + np.pi / 8 * variance)))
        assert damped == pytest.approx(exact, abs=0.01)


def test_pairs_join_features_that_are_drawn_independently() -> None:
    from hotrow.synth.rows import NESTED

    groups = {name: index for index, group in enumerate(NESTED) for name in group}
    assert len(set(PAIRS)) == len(PAIRS)
    assert all(left != right for left, right in PAIRS)
    assert all(groups.get(left, left) != groups.get(right, right) for left, right in PAIRS)


@pytest.mark.parametrize(
    ("field", "value"),
    [("click_rate", 0.0), ("click_rate", 1.0), ("ids_sd", -0.1), ("pairs_sd", float("nan"))],
)
def test_a_strength_out_of_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"synth.{field}"):
        PlantedConfig(**{field: value})
