"""``evaluate_run``: a finished run's model on a split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hotrow.artifact import load_artifact
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, DataError
from hotrow.metrics import Evaluation
from hotrow.metrics.ranking import DEFAULT_AT
from hotrow.progress import progress
from hotrow.train.evaluation import evaluate
from hotrow.train.run_folder import RunFolder

BATCH_SIZE = 8192


def evaluate_run(
    run: str | Path,
    dataset: Dataset | None = None,
    *,
    split: str = "test",
    at: Sequence[int] | None = None,
    item: str | None = None,
    show_progress: bool = False,
) -> Evaluation:
    """Return the metrics of a run's exported model, of the probabilities that it ranks with.

    Args:
        run: a run, or the artifact of one.
        dataset: prepared with the same schema; default: the one the run was trained on.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        at: lengths of the top lists that are judged in data sets with groups; None: 10, if there are groups.
        item: the categorical feature whose ids are the items of ``coverage``.
        show_progress: draw a progress bar on standard error.

    Raises:
        MissingFileError: there is no model, or its data set is not where it was.
        ArtifactError: the model was cut short or altered.
        SchemaMismatchError: the data set encodes otherwise than the model expects.
        DataError: the split is empty or cannot be read.
        ConfigError: there is no such split or feature, or ``at`` or ``item`` is given without groups.
    """
    artifact = load_artifact(run)
    dataset = dataset or Dataset.open(RunFolder(run).find_dataset())
    artifact.schema.require_same(
        dataset.schema, this=str(artifact.path), that=str(dataset.path / SCHEMA_FILE)
    )
    column = _item_column(dataset.schema, at, item)
    loader = Loader(dataset, split, LoaderConfig(batch_size=BATCH_SIZE))
    if loader.rows == 0:
        raise DataError(dataset.path / SCHEMA_FILE, f"split {split} has no rows to evaluate")
    with progress("evaluate", loader.rows, "rows", show=show_progress) as bar:
        return evaluate(
            artifact.model,
            loader,
            at=at or DEFAULT_AT,
            item=column,
            correction=artifact.correction,
            on_batch=bar.advance,
        )


def _item_column(schema: Schema, at: Sequence[int] | None, item: str | None) -> int | None:
    """Check what is asked of rankings; return the column of the item."""
    for option, value in (("--at", at), ("--item", item)):
        if value and not schema.group:
            shown = value if isinstance(value, str) else ",".join(map(str, value))
            expected = "a data set with a column that groups rows by user or query; this one has none"
            raise ConfigError(option, shown, expected)
    names = [feature.name for feature in schema.categorical]
    if item is not None and item not in names:
        raise ConfigError("--item", item, f"one of the categorical features {', '.join(names)}")
    return None if item is None else names.index(item)
