"""``train``: a prepared data set in, a run with a trained model out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.sampling import require_negatives
from hotrow.embedding import EmbeddingTables
from hotrow.errors import CheckpointError, ConfigError, DataError
from hotrow.files import storage_errors
from hotrow.interrupt import deferred_interrupt
from hotrow.layers.half import set_half_products
from hotrow.layers.inference import half
from hotrow.memory import reuse_freed_memory
from hotrow.models import build_model
from hotrow.train._random import seed_everything
from hotrow.train.checkpoint import read_checkpoint, read_notes
from hotrow.train.diverged import keep_batch
from hotrow.train.events import Listener
from hotrow.train.finish import finish
from hotrow.train.loaders import make_loaders
from hotrow.train.loop import Learner, Trainer
from hotrow.train.loss import TaskLoss
from hotrow.train.optimizers import build_optimizer
from hotrow.train.progress import RunProgress
from hotrow.train.recipe import Recipe
from hotrow.train.recorder import recording
from hotrow.train.report import TrainReport
from hotrow.train.run_folder import RunFolder
from hotrow.train.store import CheckpointStore
from hotrow.train.tasks import task_labels
from hotrow.train.validation import require_classes, require_metric
from hotrow.train.warm_start import WarmStart
from hotrow.train.window import Window

logger = logging.getLogger(__name__)

_LENGTH = "metrics_bytes"


def train_model(
    dataset: Dataset,
    recipe: Recipe,
    out: str | Path,
    *,
    start_from: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener | None = None,
    show_progress: bool = False,
    command: Sequence[str] = (),
) -> TrainReport:
    """Train a model and export it to ``out/model``.

    The global random generators of torch, numpy and Python are seeded. Ctrl-C and SIGTERM, in the
    main thread and where the program has no handler of its own, wait for the current step and write a
    checkpoint first.

    Args:
        dataset: the prepared data set.
        recipe: model and training configuration, see ``make_recipe``.
        out: folder of the run.
        start_from: a finished run whose weights and optimizers' states are the first, of the ids that both
            data sets have; with the recipe of ``grown_recipe``, or one that differs from it in no size.
        resume: go on with the run that is there, from its newest intact checkpoint; a finished run
            is left as it is and its report returned.
        overwrite: replace a run that is there.
        listener: told what happens, beside the run's own files.
        show_progress: draw a progress bar on standard error.
        command: kept in ``config.json``.

    Raises:
        OutputExistsError: ``out`` holds something, and neither ``resume`` nor ``overwrite`` is given.
        MissingFileError: there is no run to resume.
        ConfigError: a resumed run was started with another recipe or data set; names the difference. Or
            the data set lacks what the recipe needs: a task's label, groups for a ranking metric, negatives.
        SchemaMismatchError: the data set of a resumed run, or of the one it starts from, has other features.
        CheckpointError: no checkpoint of a resumed run is intact, or that of the run it starts from is not.
        DivergedError: the loss stopped being a finite number, or is hopeless; the last checkpoint is kept,
            and in ``diverged/`` the batch.
        DataError: the training split is empty, or a shard cannot be read.
        StorageError: the disk is full; the last checkpoint is kept.
        KeyboardInterrupt: Ctrl-C was pressed.
        SystemExit: SIGTERM came; the status is 143.
    """
    if resume and start_from is not None:
        raise ConfigError("--from", str(start_from), "to be left out with --resume: the run knows it")
    _require_fit(dataset, recipe)
    folder = RunFolder(out)
    if resume:
        folder.require_same(recipe, dataset)
        if folder.is_finished:
            return folder.read_report()
    if recipe.train.precision == "bf16" and not half.is_available():
        logger.warning("this processor has no bf16 products, torch computes them slowly: fp32 is faster here")
    reuse_freed_memory()
    loaders = make_loaders(dataset, recipe)
    start = None if start_from is None else _warm_start(Path(start_from), folder, recipe, dataset)
    if not resume:
        origin = None if start is None else start.origin
        folder.start(recipe, dataset, command=command, overwrite=overwrite, origin=origin)
    with storage_errors(folder.path), folder.sole_writer():
        learner = build_learner(recipe)
        store = CheckpointStore(folder.checkpoints, recipe.train.checkpoints)
        length = 0
        if resume:
            length = _go_back(learner, store, folder)
            start = _start_again(learner, folder, recipe, dataset)
        if start is not None:
            start.apply(learner)
        total = loaders.training.rows * loaders.training.factor * recipe.train.epochs
        with recording(
            folder,
            learner.progress,
            total=total,
            length=length,
            listener=listener,
            show_progress=show_progress,
        ) as recorder:
            trainer = Trainer(
                learner,
                recipe.train,
                training=loaders.training,
                validation=loaders.validation,
                save=lambda: store.save(learner, {_LENGTH: recorder.flush()}),
                correction=loaders.correction,
                keep_batch=partial(keep_batch, folder.diverged),
                listener=recorder,
            )
            with deferred_interrupt(terminate=True) as interrupt:
                trainer.run(interrupt)
                return finish(trainer, recipe, dataset, folder, store, recorder, interrupt)


def _require_fit(dataset: Dataset, recipe: Recipe) -> None:
    """Check that a data set has what a recipe needs, before a folder is made."""
    if dataset.rows("train") == 0:
        raise DataError(dataset.path / SCHEMA_FILE, "split train has no rows to train on")
    tasks = task_labels(recipe.model.tasks, dataset.schema.labels).names
    TaskLoss(tasks, recipe.train.task_weights, recipe.train.label_weights)
    require_metric(recipe.train.validation, dataset.schema)
    require_classes(recipe.train.validation, dataset, tasks[0])
    require_negatives(dataset, recipe.train.sampling)
    share = recipe.train.sampling.keep_negatives
    if share < 1 and len(tasks) > 1:
        expected = f"1: what is a negative of {tasks[0]} may be a positive of {tasks[1]}"
        raise ConfigError("sampling.keep_negatives", share, expected)


def _warm_start(source: Path, folder: RunFolder, recipe: Recipe, dataset: Dataset) -> WarmStart:
    """Return what a run takes over from another one, before its folder is made."""
    here, there = folder.path.resolve(), source.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError("--from", str(source), f"a run apart from {folder.path}, which is to be written")
    start = WarmStart(source, recipe, dataset)
    ids = start.origin.totals()
    logger.info(
        "starting from step %d of %s: %d ids kept, %d new, %d gone",
        *(start.origin.step, source, ids.kept, ids.new, ids.gone),
    )
    return start


def _start_again(learner: Learner, folder: RunFolder, recipe: Recipe, dataset: Dataset) -> WarmStart | None:
    """Return what a run takes over that was stopped before its first checkpoint; None: nothing, or it has.

    Raises:
        CheckpointError: the run that it started from has changed.
    """
    origin = folder.read_origin()
    if origin is None or learner.progress.step:
        return None
    start = _warm_start(Path(origin.run), folder, recipe, dataset)
    if start.origin != origin:
        raise CheckpointError(
            f"{origin.run}: has changed since {folder.path} started from it; start again with --overwrite"
        )
    return start


def build_learner(recipe: Recipe) -> Learner:
    """Return a freshly initialised model with its optimizers, at step 0."""
    seed = recipe.train.seed
    seed_everything(seed)
    embeddings = EmbeddingTables(
        recipe.model.tables, features=recipe.model.features(), optimizer=recipe.train.tables, seed=seed
    )
    model = build_model(recipe.model_name, recipe.model, embeddings, seed=seed)
    model.train()
    set_half_products(model, recipe.train.precision == "bf16")
    return Learner(
        model=model,
        embeddings=embeddings,
        optimizer=build_optimizer(recipe.train.dense, model.dense_parameters()),
        window=Window(),
        progress=RunProgress(),
    )


def _go_back(learner: Learner, store: CheckpointStore, folder: RunFolder) -> int:
    """Put everything back to the newest intact checkpoint; return the length of metrics.jsonl then."""
    changes = folder.environment_changes()
    if changes:
        logger.warning(
            "the run was started in another environment, its last bits may differ: %s", "; ".join(changes)
        )
    newest = store.newest_intact()
    if newest is None:
        logger.info("%s: no checkpoint yet, starting from the first step", folder.path)
        store.go_back_to(0)
        return 0
    read_checkpoint(newest, learner)
    store.go_back_to(learner.progress.step)
    length = read_notes(newest).get(_LENGTH)
    if not isinstance(length, int):
        raise CheckpointError(f"{newest}: notes.{_LENGTH}: got {length!r}, expected a number of bytes")
    logger.info("%s: resumed at step %d", folder.path, learner.progress.step)
    return length
