"""In which numbers the networks of a shrunk model are computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, get_args

from hotrow.artifact import Artifact, replace_networks, unpacked_model
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import ConfigError, DataError
from hotrow.layers.inference import Networks, Precision, can_compute
from hotrow.layers.inference.calibration import Calibration, observe, quantization
from hotrow.layers.inference.quantizable import LEAST_WEIGHTS, layers_to_quantize
from hotrow.shrink.config import ShrinkConfig
from hotrow.shrink.judging import Comparison
from hotrow.types import Batch

CALIBRATION_ROWS: Final = 1 << 15
"""Validation rows that int8 layers' inputs are looked at on."""

JUDGED_ROWS: Final = 1 << 19
"""Validation rows that calibrations are compared on."""

SHARE: Final = 0.5
"""Of the promise, what ``auto`` lets the networks take; the rest is the tables'."""

_BATCH_SIZE = 4096
_SMALLEST_FIRST: tuple[Precision, ...] = ("int8", "bf16")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NetworksChoice:
    """What was chosen.

    Attributes:
        networks: in which numbers they are computed.
        calibration: what decided the ranges of int8 layers' inputs; None without such layers.
        judged: how many choices were judged.
        reason: what decided, of ``auto``; empty where they were asked for.
    """

    networks: Networks
    calibration: Calibration | None = None
    judged: int = 0
    reason: str = ""


def choose_networks(
    artifact: Artifact, comparison: Comparison, dataset: Dataset, config: ShrinkConfig
) -> NetworksChoice:
    """Return the networks that were asked for; for ``auto`` the fewest bits that keep their share.

    Args:
        artifact: the model, its tables as they are.
        comparison: judges it on the validation split.
        dataset: whose validation rows int8 layers are calibrated on.
        config: what was asked for.

    Raises:
        ConfigError: int8 was asked for and no layer is worth it.
        BackendUnavailableError: what was asked for cannot be computed on this processor.
        DataError: the validation split is needed and empty, or has no AUC.
    """
    if config.networks != "auto":
        return _choice(artifact, comparison, dataset, config.networks)
    judged, most = 0, SHARE * config.max_auc_loss
    reasons: list[str] = []
    for precision in _SMALLEST_FIRST:
        if not can_compute(precision):
            _log.warning("networks in %s were not tried: this processor has no kernels for it", precision)
            reasons.append(f"{precision} has no kernels for this processor")
            continue
        if precision == "int8" and not layers_to_quantize(unpacked_model(artifact)):
            _log.info("networks in int8 were not tried: no layer has %d weights", LEAST_WEIGHTS)
            reasons.append(f"int8 not tried: no layer has {LEAST_WEIGHTS} weights")
            continue
        choice = _choice(artifact, comparison, dataset, precision)
        judged += choice.judged + 1
        loss = comparison.probable_loss(replace_networks(artifact, choice.networks), "valid")
        is_kept = loss <= most
        judgement = "within" if is_kept else "more than"
        reasons.append(f"{precision} alone may lose {loss:.5f} of the AUC, {judgement} {most:g}")
        if is_kept:
            return replace(choice, judged=judged, reason="; ".join(reasons))
    return NetworksChoice(networks=Networks(), judged=judged, reason="; ".join(reasons))


def _choice(
    artifact: Artifact, comparison: Comparison, dataset: Dataset, precision: Precision
) -> NetworksChoice:
    if precision != "int8":
        return NetworksChoice(networks=Networks(precision=precision))
    losses: dict[Calibration, float] = {}
    candidates = _quantised(artifact, dataset)
    for calibration, networks in candidates.items():
        judged = comparison.report(replace_networks(artifact, networks), "valid", max_rows=JUDGED_ROWS)
        assert judged.after.log_loss is not None  # there are rows
        losses[calibration] = judged.after.log_loss
    best = min(losses, key=losses.__getitem__)
    return NetworksChoice(networks=candidates[best], calibration=best, judged=len(losses))


def _quantised(artifact: Artifact, dataset: Dataset) -> dict[Calibration, Networks]:
    """Return int8 networks after each calibration.

    Raises:
        ConfigError: no layer is worth it.
        DataError: there are no validation rows.
    """
    model = unpacked_model(artifact)
    layers = layers_to_quantize(model)
    if not layers:
        expected = f"a model with layers of at least {LEAST_WEIGHTS} weights and no activation but ReLU"
        raise ConfigError("networks", "int8", expected)
    if not dataset.rows("valid"):
        place = dataset.path / SCHEMA_FILE
        raise DataError(place, "split valid has no rows, expected some to calibrate int8 networks on")
    loader = Loader(dataset, "valid", LoaderConfig(batch_size=_BATCH_SIZE, max_rows=CALIBRATION_ROWS))

    def batches() -> Iterator[Batch]:
        with loader.epoch() as found:
            yield from found

    seen = observe(model, layers, batches)
    calibrations: tuple[Calibration, ...] = get_args(Calibration)
    return {
        calibration: Networks(
            precision="int8",
            inputs={name: quantization(inputs, calibration) for name, inputs in seen.items()},
        )
        for calibration in calibrations
    }
