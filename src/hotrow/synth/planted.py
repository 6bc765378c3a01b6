"""The truth behind synthetic labels: a click probability that is a known function of the row.

    logit = intercept + dense effects + one effect per id + low-rank effects of pairs of ids

Effects of ids are drawn by hashing (seed, feature, id): they need no storage and know nothing of how
often an id occurs. Missing values have effects of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import ConfigError
from hotrow.synth.criteo_tables import IDS, INTEGERS
from hotrow.synth.hashing import LANES, mix, normals
from hotrow.synth.rows import RowChunk, draw_rows

WEIGHTS = {
    **{"C3": 0.4, "C4": 0.6, "C7": 0.3, "C10": 0.5, "C11": 0.4, "C12": 0.4, "C13": 0.7},
    **{"C15": 0.4, "C16": 0.4, "C18": 0.6, "C21": 0.4, "C24": 0.8, "C26": 0.6},
}
"""How strong the effects of a feature's ids are against those of features not named here, whose weight
is 1. Large features weigh less each, since most of them are views of one thing (``NESTED``) and their
effects add up; with equal weights, the noise of estimating 100,000 seldom seen ids would hide from a
model what there is to learn."""

PAIRS = (
    ("C2", "C23"),
    ("C4", "C20"),
    ("C5", "C23"),
    ("C6", "C14"),
    ("C6", "C25"),
    ("C14", "C20"),
    ("C17", "C23"),
    ("C20", "C23"),
)
"""Pairs of features that interact: one side is always small, the other small, middling or huge (C4)."""

_WEIGHT_F = np.array([WEIGHTS.get(name, 1.0) for name in IDS], dtype=np.float32)
_BEND = 0.7  # of a dense effect, against its slope
_ABSENCE = 0.5  # of an absent integer's effect, against that of the value 0
_IDS_STREAM, _PAIRS_STREAM, _DENSE_STREAM = 1, 2, 3
_CALIBRATION_CHUNKS = 3
Float32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PlantedConfig:
    """How strongly each part of the truth speaks.

    Attributes:
        click_rate: mean click probability; 0.256 is the full Criteo Kaggle log's.
        dense_sd: standard deviation over rows of the summed dense effects, in logits.
        ids_sd: of the summed effects of single ids.
        pairs_sd: of the summed effects of pairs.
    """

    click_rate: float = 0.256
    dense_sd: float = 1.0
    ids_sd: float = 0.8
    pairs_sd: float = 0.45

    def __post_init__(self) -> None:
        if not 0 < self.click_rate < 1:
            raise ConfigError("synth.click_rate", self.click_rate, "a rate between 0 and 1")
        for field in ("dense_sd", "ids_sd", "pairs_sd"):
            if not 0 <= getattr(self, field) <= 10:
                raise ConfigError(f"synth.{field}", getattr(self, field), "a number from 0 to 10")


@dataclass(frozen=True, slots=True)
class Parts:
    """The summands of the logit, each (B,) float32, and the variance of what is not known of it."""

    dense: Float32
    ids: Float32
    pairs: Float32
    unknown_variance: Float32


class PlantedModel:
    """The planted model of one seed.

    The three parts are scaled to the standard deviations of the configuration, and the intercept is
    set to its click rate, on calibration rows that are never part of a log: seeds differ in their
    effects, not in how hard they are.
    """

    def __init__(self, seed: int, config: PlantedConfig) -> None:
        self._seed = seed
        self._scale = (1.0, 1.0, 1.0)
        self._intercept = 0.0
        self._dense = _dense_tables(seed)
        self._calibrate(config)

    def parts(self, rows: RowChunk, rare: NDArray[np.bool_] | None = None) -> Parts:
        """Return the summands of the rows' logits, without the intercept.

        Args:
            rows: B rows.
            rare: (26, B), true where the effects of an id are to be averaged out: its own and, in
                every pair, its product with the other's. Their prior has mean 0, so they vanish
                from the sums, and their variance under the prior is reported instead.
        """
        dense_scale, ids_scale, pairs_scale = self._scale
        dense = np.zeros(len(rows), dtype=np.float32)
        for table, level_B in zip(self._dense, rows.levels, strict=True):
            dense += table[level_B]
        known = np.ones(rows.ranks.shape, dtype=np.float32) if rare is None else (~rare).astype(np.float32)
        ids = np.zeros(len(rows), dtype=np.float32)
        for feature, rank_B in enumerate(rows.ranks):
            effect_B = normals(mix(self._seed, _IDS_STREAM, feature), rank_B)[:, 0]
            ids += effect_B * known[feature] * _WEIGHT_F[feature]
        pairs, pairs_variance = self._pairs(rows, known)
        hidden = _WEIGHT_F**2 @ (1 - known) * ids_scale**2 + pairs_variance * pairs_scale**2
        return Parts(
            dense * np.float32(dense_scale),
            ids * np.float32(ids_scale),
            pairs * np.float32(pairs_scale),
            hidden.astype(np.float32),
        )

    def logits(self, rows: RowChunk) -> Float32:
        """Return the true logits, (B,)."""
        parts = self.parts(rows)
        return parts.dense + parts.ids + parts.pairs + np.float32(self._intercept)

    def learnable_logits(self, rows: RowChunk, rare: NDArray[np.bool_]) -> Float32:
        """Return the logits of one who knows the truth except for the effects of rare ids.

        With m the known part of the logit and v the variance of the unknown part, the probability is
        the mean of sigmoid(m + z), z normal with variance v; sigmoid(m / sqrt(1 + pi v / 8)) is the
        usual approximation of it (MacKay 1992, "The Evidence Framework Applied to Classification
        Networks"). The division matters for AUC, since v differs from row to row.
        """
        parts = self.parts(rows, rare)
        known = parts.dense + parts.ids + parts.pairs + np.float32(self._intercept)
        damping: Float32 = np.sqrt(1 + np.float32(np.pi / 8) * parts.unknown_variance)
        return known / damping

    def clicks(self, rows: RowChunk) -> NDArray[np.bool_]:
        """Return the rows' labels: Bernoulli of the true probability, decided by the row's coin."""
        clicks_B: NDArray[np.bool_] = rows.coins < 1 / (1 + np.exp(-self.logits(rows).astype(np.float64)))
        return clicks_B

    def _pairs(self, rows: RowChunk, known: Float32) -> tuple[Float32, Float32]:
        """Return the unscaled sum over pairs (f, g) of v_f . v_g, and the variance of its unknown part.

        An unknown v_f stands beside the sum s_f of its known partners: variance |s_f|^2. Two unknown
        partners have a product of variance LANES. All of these are uncorrelated.
        """
        names = list(IDS)
        vectors, partners = {}, {}
        for name in sorted({name for pair in PAIRS for name in pair}):
            feature = names.index(name)
            drawn = normals(mix(self._seed, _PAIRS_STREAM, feature), rows.ranks[feature])
            vectors[name] = drawn * known[feature][:, None]
            partners[name] = np.zeros_like(drawn)
        total = np.zeros(len(rows), dtype=np.float32)
        variance = np.zeros(len(rows), dtype=np.float32)
        for left, right in PAIRS:
            total += np.einsum("bk,bk->b", vectors[left], vectors[right])
            partners[left] += vectors[right]
            partners[right] += vectors[left]
            variance += LANES * (1 - known[names.index(left)]) * (1 - known[names.index(right)])
        for name, sums in partners.items():
            variance += np.einsum("bk,bk->b", sums, sums) * (1 - known[names.index(name)])
        return total, variance

    def _calibrate(self, config: PlantedConfig) -> None:
        chunks = [draw_rows(self._seed, chunk, calibration=True) for chunk in range(_CALIBRATION_CHUNKS)]
        parts = [self.parts(chunk) for chunk in chunks]
        sums = [np.concatenate([getattr(part, name) for part in parts]) for name in ("dense", "ids", "pairs")]
        wanted = (config.dense_sd, config.ids_sd, config.pairs_sd)
        scales = [sd / float(np.std(values)) for sd, values in zip(wanted, sums, strict=True)]
        self._scale = (scales[0], scales[1], scales[2])
        logits = sum(values.astype(np.float64) * scale for values, scale in zip(sums, scales, strict=True))
        low, high = -30.0, 30.0
        for _ in range(50):
            self._intercept = (low + high) / 2
            if float(np.mean(1 / (1 + np.exp(-(logits + self._intercept))))) < config.click_rate:
                low = self._intercept
            else:
                high = self._intercept


def _dense_tables(seed: int) -> list[Float32]:
    """Return each integer column's effect at each of its quantiles, and last of its absence.

    A random function of sign(x) log(1 + |x|): a rising or falling line, gently bent, standardised.
    Absence has the effect of 0, where the usual encoding puts it, plus one of its own.
    """
    tables = []
    for column, law in enumerate(INTEGERS.values()):
        values = law.quantiles()
        x = np.sign(values) * np.log1p(np.abs(values))
        x = (x - x.mean()) / x.std()
        drawn = normals(mix(seed, _DENSE_STREAM, column), np.arange(4, dtype=np.int32))[:, 0]
        slope, bend, shift, own = drawn.astype(np.float64)
        effect = np.sign(slope) * x + _BEND * np.tanh(bend) * np.sin(x + shift)
        effect = (effect - effect.mean()) / effect.std()
        absence = effect[np.searchsorted(values, 0)] + _ABSENCE * own
        tables.append(np.append(effect, absence).astype(np.float32))
    return tables
