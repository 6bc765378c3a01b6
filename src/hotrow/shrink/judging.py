"""How good a model is on the splits of a data set, compared with another."""

from __future__ import annotations

from hotrow.artifact import Artifact
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import DataError
from hotrow.metrics import Metrics
from hotrow.progress import progress
from hotrow.shrink.report import SplitReport
from hotrow.train.evaluate_run import BATCH_SIZE
from hotrow.train.evaluation import evaluate


def measure(
    artifact: Artifact,
    dataset: Dataset,
    split: str,
    *,
    max_rows: int | None = None,
    show_progress: bool = False,
) -> Metrics:
    """Return a model's metrics on a split, or on its first rows.

    Raises:
        DataError: the split has no rows, or not both clicks and other rows, so that it has no AUC.
    """
    loader = Loader(dataset, split, LoaderConfig(batch_size=BATCH_SIZE, max_rows=max_rows))
    with progress(f"judge on {split}", loader.rows, "rows", show=show_progress) as bar:
        metrics = evaluate(artifact.model, loader, on_batch=bar.advance)
    if metrics.auc is None:
        found = f"{metrics.positives} clicks in {metrics.rows} rows"
        raise DataError(dataset.path / SCHEMA_FILE, f"split {split}: {found}, an AUC needs clicks and others")
    return metrics


class Comparison:
    """Judges shrunk models against the one they are made from, whose metrics are measured once.

    Args:
        artifact: the model as it is.
        dataset: what models are judged on.
        max_auc_loss: the promise.
        show_progress: draw progress bars on standard error.
    """

    def __init__(
        self, artifact: Artifact, dataset: Dataset, max_auc_loss: float, *, show_progress: bool = False
    ) -> None:
        self._artifact = artifact
        self._dataset = dataset
        self._max_auc_loss = max_auc_loss
        self._show_progress = show_progress
        self._before: dict[tuple[str, int | None], Metrics] = {}

    def auc_loss(self, shrunk: Artifact, split: str, *, max_rows: int | None = None) -> float:
        """Return AUC before less AUC after, on a split or on its first rows.

        Raises:
            DataError: there is no AUC.
        """
        return _auc_loss(self._before_of(split, max_rows), self._measure(shrunk, split, max_rows))

    def report(self, shrunk: Artifact, split: str) -> SplitReport:
        """Return both models' metrics on a split.

        Raises:
            DataError: there is no AUC.
        """
        before, after = self._before_of(split, None), self._measure(shrunk, split, None)
        loss = _auc_loss(before, after)
        return SplitReport(before=before, after=after, auc_loss=loss, kept=loss <= self._max_auc_loss)

    def _before_of(self, split: str, max_rows: int | None) -> Metrics:
        if (split, max_rows) not in self._before:
            self._before[split, max_rows] = self._measure(self._artifact, split, max_rows)
        return self._before[split, max_rows]

    def _measure(self, artifact: Artifact, split: str, max_rows: int | None) -> Metrics:
        return measure(artifact, self._dataset, split, max_rows=max_rows, show_progress=self._show_progress)


def _auc_loss(before: Metrics, after: Metrics) -> float:
    assert before.auc is not None
    assert after.auc is not None
    return before.auc - after.auc
