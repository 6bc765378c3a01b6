"""Quality of predicted click probabilities: exact AUC, and everything else in one streaming pass."""

from __future__ import annotations

from hotrow.metrics.accumulator import MetricAccumulator as MetricAccumulator
from hotrow.metrics.auc import auc as auc
from hotrow.metrics.result import Metrics as Metrics
