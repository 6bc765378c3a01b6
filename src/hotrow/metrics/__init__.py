"""Quality of predicted click probabilities, over all rows and of the rankings within groups of rows."""

from __future__ import annotations

from hotrow.metrics.accumulator import MetricAccumulator as MetricAccumulator
from hotrow.metrics.auc import auc as auc
from hotrow.metrics.interval import Interval as Interval
from hotrow.metrics.interval import mean_interval as mean_interval
from hotrow.metrics.quantile import Quantile as Quantile
from hotrow.metrics.quantile import quantile as quantile
from hotrow.metrics.ranking import GroupValues as GroupValues
from hotrow.metrics.ranking import RankingAccumulator as RankingAccumulator
from hotrow.metrics.ranking import RankingMetrics as RankingMetrics
from hotrow.metrics.ranking import TopMetrics as TopMetrics
from hotrow.metrics.result import Evaluation as Evaluation
from hotrow.metrics.result import Metrics as Metrics
