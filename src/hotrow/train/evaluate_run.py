"""``evaluate_run``: a finished run's model on a split of a data set."""

from __future__ import annotations

from pathlib import Path

from hotrow.artifact import load_artifact
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import DataError
from hotrow.metrics import Metrics
from hotrow.progress import progress
from hotrow.train.evaluation import evaluate
from hotrow.train.run_folder import RunFolder

BATCH_SIZE = 8192


def evaluate_run(
    run: str | Path, dataset: Dataset | None = None, *, split: str = "test", show_progress: bool = False
) -> Metrics:
    """Return the metrics of a run's exported model.

    Args:
        run: a run, or the artifact of one.
        dataset: prepared with the same schema; default: the one the run was trained on.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        show_progress: draw a progress bar on standard error.

    Raises:
        MissingFileError: there is no model, or its data set is not where it was.
        ArtifactError: the model was cut short or altered.
        SchemaMismatchError: the data set encodes otherwise than the model expects.
        DataError: the split is empty or cannot be read.
        ConfigError: there is no such split.
    """
    artifact = load_artifact(run)
    dataset = dataset or Dataset.open(RunFolder(run).find_dataset())
    artifact.schema.require_same(
        dataset.schema, this=str(artifact.path), that=str(dataset.path / SCHEMA_FILE)
    )
    loader = Loader(dataset, split, LoaderConfig(batch_size=BATCH_SIZE))
    if loader.rows == 0:
        raise DataError(dataset.path / SCHEMA_FILE, f"split {split} has no rows to evaluate")
    with progress("evaluate", loader.rows, "rows", show=show_progress) as bar:
        return evaluate(artifact.model, loader, on_batch=bar.advance)
