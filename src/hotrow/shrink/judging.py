"""How good shrunk models are on the splits of a data set, compared with the model as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hotrow.artifact import Artifact
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import DataError
from hotrow.metrics import Evaluation
from hotrow.metrics.delong import Standings, standard_error, standings
from hotrow.metrics.ranking import DEFAULT_AT
from hotrow.progress import Progress
from hotrow.shrink.report import SplitReport
from hotrow.train.evaluate_run import BATCH_SIZE
from hotrow.train.evaluation import Floats, evaluate

CERTAINTY = 2.0
"""Standard errors that a loss on the validation split must stay below the promise by."""


@dataclass(frozen=True, eq=False)
class _Judged:
    metrics: Evaluation
    standings: Standings


class Comparison:
    """Judges shrunk models against the one they are made from, which is judged once for each split.

    Args:
        artifact: the model as it is.
        dataset: what models are judged on.
        max_auc_loss: the promise.
        bar: told of the rows that were judged.
    """

    def __init__(self, artifact: Artifact, dataset: Dataset, max_auc_loss: float, bar: Progress) -> None:
        self._artifact = artifact
        self._dataset = dataset
        self._max_auc_loss = max_auc_loss
        self._bar = bar
        self._before: dict[tuple[str, int | None, bool], _Judged] = {}

    def probable_loss(self, shrunk: Artifact, split: str, *, max_rows: int | None = None) -> float:
        """Return what the AUC loss will hardly exceed on other rows, judged on a split or its first rows.

        Raises:
            DataError: there is no AUC.
        """
        report = self.report(shrunk, split, max_rows=max_rows)
        return report.auc_loss + CERTAINTY * report.auc_loss_error

    def report(
        self, shrunk: Artifact, split: str, *, max_rows: int | None = None, rankings: bool = False
    ) -> SplitReport:
        """Return both models' metrics on a split, or on its first rows; AUCs are of the first task.

        Args:
            shrunk: the smaller model.
            split: of the data set.
            max_rows: how many rows; None for all.
            rankings: whether rankings are judged too where rows have groups; it takes a sort of them.

        Raises:
            DataError: there is no AUC.
        """
        rankings = rankings and bool(self._dataset.schema.group)
        asked = (split, max_rows, rankings)
        if asked not in self._before:
            self._before[asked] = self._judge(self._artifact, *asked)
        before, after = self._before[asked], self._judge(shrunk, *asked)
        assert before.metrics.auc is not None
        assert after.metrics.auc is not None
        loss = before.metrics.auc - after.metrics.auc
        return SplitReport(
            before=before.metrics,
            after=after.metrics,
            auc_loss=loss,
            auc_loss_error=standard_error(before.standings, after.standings),
            kept=loss <= self._max_auc_loss,
        )

    def _judge(self, artifact: Artifact, split: str, max_rows: int | None, rankings: bool) -> _Judged:
        loader = Loader(self._dataset, split, LoaderConfig(batch_size=BATCH_SIZE, max_rows=max_rows))
        labels: list[Floats] = [np.empty(0, np.float32)]
        logits: list[Floats] = [np.empty(0, np.float32)]

        def keep(labels_B: Floats, logits_B: Floats) -> None:
            labels.append(labels_B)
            logits.append(logits_B)

        at = DEFAULT_AT if rankings else None
        metrics = evaluate(
            artifact.model,
            loader,
            at=at,
            correction=artifact.correction,
            on_batch=self._bar.advance,
            on_logits=keep,
        )
        if not 2 <= metrics.positives <= metrics.rows - 2:
            raise DataError(
                self._dataset.path / SCHEMA_FILE,
                f"split {split} has {metrics.positives} clicks in {metrics.rows} rows, "
                "expected at least two clicks and two others, to compare AUCs",
            )
        return _Judged(metrics, standings(np.concatenate(labels), np.concatenate(logits)))
