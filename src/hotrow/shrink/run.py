"""``shrink_run``: a run in, one with a smaller model out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hotrow.artifact import (
    Artifact,
    find_artifact,
    load_artifact,
    replace_networks,
    save_artifact,
    unpacked_model,
)
from hotrow.artifact.manifest import VOCAB_FOLDER
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.errors import ArtifactError
from hotrow.files import atomic_folder, tree_bytes
from hotrow.kernels.row_formats import FLOAT_DTYPES, QuantizedFormat
from hotrow.progress import progress
from hotrow.shrink.choose import Choice, Formats, choose
from hotrow.shrink.config import ShrinkConfig
from hotrow.shrink.folder import require_room, write_run_files
from hotrow.shrink.judging import Comparison
from hotrow.shrink.networks import choose_networks
from hotrow.shrink.report import ShrinkReport, SplitReport, make_report
from hotrow.shrink.variants import Variants
from hotrow.train import RunFolder

ESTIMATE_ROWS = 1 << 19
"""Validation rows on which tables are judged one by one."""

_FORMATS: dict[str, QuantizedFormat] = {"8": "int8", "4": "int4", "2": "int2"}


def shrink_run(
    run: str | Path,
    out: str | Path,
    config: ShrinkConfig | None = None,
    *,
    dataset: Dataset | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
    command: Sequence[str] = (),
) -> ShrinkReport:
    """Put tables and networks of a trained model into fewer bits in a new run; judge it on the test split.

    Args:
        run: a run, or the artifact of one; it stays as it is.
        out: folder of the new run, complete or absent.
        config: bits and promise.
        dataset: prepared with the same schema; default: the one the run was trained on.
        overwrite: replace a run that is there.
        show_progress: draw progress bars on standard error.
        command: kept in ``config.json``.

    Returns:
        The report; a promise that the test split breaks is in it, not raised.

    Raises:
        MissingFileError: there is no model, or its data set is not where it was.
        ArtifactError: the model was cut short or altered, is quantised already, or a row cannot be.
        ConfigError: ``out`` and the data set, or ``out`` and ``run`` hold one another; or int8 networks were
            asked for and no layer is worth it.
        BackendUnavailableError: the networks that were asked for cannot be computed on this processor.
        SchemaMismatchError: the data set encodes otherwise than the model expects.
        DataError: a split that is needed is empty or has no AUC.
        OutputExistsError: ``out`` holds something and ``overwrite`` is false, or is no run.
        StorageError: the disk is full or refuses to be written.
    """
    config = config or ShrinkConfig()
    started = time.perf_counter()
    source, out = Path(run), Path(out)
    model_folder = find_artifact(source)
    dataset = dataset or Dataset.open(RunFolder(source).find_dataset("--dataset"))
    require_room(source, model_folder, dataset.path, out, overwrite=overwrite)
    artifact = load_artifact(source)
    _require_numbers(artifact)
    artifact.schema.require_same(
        dataset.schema, this=str(artifact.path), that=str(dataset.path / SCHEMA_FILE)
    )
    with (
        atomic_folder(out, overwrite=overwrite) as partial,
        TemporaryDirectory(dir=partial) as scratch,
        progress("shrink", _known_work(artifact, dataset, config), "rows", show=show_progress) as bar,
    ):
        comparison = Comparison(artifact, dataset, config.max_auc_loss, bar)
        networks = choose_networks(artifact, comparison, dataset, config)
        variants = Variants(replace_networks(artifact, networks.networks), Path(scratch), bar)
        choice = _choose(variants, comparison, dataset, config)
        shrunk = variants.artifact(choice.formats)
        test = comparison.report(shrunk, "test", rankings=True)
        validation = comparison.report(shrunk, "valid", rankings=True) if dataset.rows("valid") else None
        model = RunFolder(partial).model
        _save(shrunk, model, test, validation)
        report = make_report(
            artifact,
            shrunk,
            config,
            run=str(out),
            source=str(source),
            dataset=str(dataset.path),
            bytes_after=tree_bytes(model),
            judged=networks.judged + choice.judged,
            calibration=networks.calibration,
            networks_reason=networks.reason,
            seconds=time.perf_counter() - started,
            test=test,
            validation=validation,
        )
        write_run_files(
            partial, source, dataset=dataset, config=shrunk.config, report=report, command=command
        )
    return report


def _known_work(artifact: Artifact, dataset: Dataset, config: ShrinkConfig) -> int | None:
    """Return how many rows will be quantised and judged; None if that depends on what is found."""
    if config.bits == "auto" or config.networks in ("int8", "auto"):
        return None
    judged = 2 * (dataset.rows("test") + dataset.rows("valid"))
    return judged + sum(table.rows for table in artifact.config.tables)


def _require_numbers(artifact: Artifact) -> None:
    """Check that no table is quantised.

    Raises:
        ArtifactError: names the first that is.
    """
    for table in artifact.config.tables:
        if table.format not in FLOAT_DTYPES:
            raise ArtifactError(
                f"{artifact.path}: table {table.name} is {table.format} already, expected "
                f"{', '.join(FLOAT_DTYPES)}; shrink the run that it was made from"
            )


def _choose(variants: Variants, comparison: Comparison, dataset: Dataset, config: ShrinkConfig) -> Choice:
    if config.bits != "auto":
        return Choice(formats=variants.uniform(_FORMATS[config.bits]), loss=math.nan, judged=0)

    def judge(formats: Formats) -> float:
        return comparison.probable_loss(variants.artifact(formats), "valid")

    def estimate(formats: Formats) -> float:
        return comparison.probable_loss(variants.artifact(formats), "valid", max_rows=ESTIMATE_ROWS)

    few = dataset.rows("valid") <= ESTIMATE_ROWS
    return choose(variants.sizes(), judge, config.max_auc_loss, estimate=None if few else estimate)


def _save(shrunk: Artifact, folder: Path, test: SplitReport, validation: SplitReport | None) -> None:
    metrics = {
        "validation": None if validation is None else validation.after.to_mapping(),
        "test": test.after.to_mapping(),
    }
    save_artifact(
        folder,
        model=unpacked_model(shrunk),
        model_name=shrunk.name,
        model_config=shrunk.config,
        schema=shrunk.schema,
        vocab_folder=shrunk.path / VOCAB_FOLDER,
        metrics=metrics,
        networks=shrunk.networks,
        correction=shrunk.correction,
    )
