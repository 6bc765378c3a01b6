"""The end of a run: choose the weights, judge them on whole splits, export them."""

from __future__ import annotations

from hotrow.artifact import save_artifact
from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.files import atomic_file, write_json
from hotrow.interrupt import Interrupt
from hotrow.kernels import _compiled
from hotrow.kernels.row_formats import row_bytes
from hotrow.memory import peak_rss_mib
from hotrow.metrics import Evaluation
from hotrow.train.ceilings import measure_ceilings
from hotrow.train.checkpoint import load_weights, verify_checkpoint
from hotrow.train.evaluation import evaluate
from hotrow.train.events import Listener
from hotrow.train.loop import Trainer
from hotrow.train.recipe import Recipe
from hotrow.train.report import TrainReport
from hotrow.train.roofline import Roofline, roofline
from hotrow.train.run_folder import RunFolder
from hotrow.train.store import CheckpointStore

LEAST_SECONDS = 5.0
"""Of training, that measuring what the machine can do is worth."""


def finish(
    trainer: Trainer,
    recipe: Recipe,
    dataset: Dataset,
    folder: RunFolder,
    store: CheckpointStore,
    listener: Listener,
    interrupt: Interrupt,
) -> TrainReport:
    """Export the best weights (without ``keep_best``, the last) and write ``result.json``, in that order.

    Raises:
        CheckpointError: the best checkpoint is no longer intact.
        StorageError: the disk is full or refuses to be written.
        StopRequestedError: a stop was asked for while the model was judged; nothing was written.
    """
    progress, model = trainer.learner.progress, trainer.learner.model
    peak = peak_rss_mib()
    best_step = progress.step
    if recipe.train.checkpoints.keep_best and progress.best_step >= 0:
        best_step = progress.best_step
    if best_step != progress.step:
        verify_checkpoint(store.path(best_step))
        load_weights(store.path(best_step), model)
    report = TrainReport(
        samples=progress.samples,
        samples_per_second=progress.samples / progress.seconds if progress.seconds else 0.0,
        epochs=trainer.calendar.epochs_done(progress.step),
        validation=_judge(trainer, dataset, "valid", interrupt),
        test=_judge(trainer, dataset, "test", interrupt),
        run=str(folder.path),
        steps=progress.step,
        seconds=progress.seconds,
        best_step=best_step,
        stopped_early=progress.step < trainer.calendar.total,
        corrected_odds=trainer.correction.odds,
        started_from=folder.read_origin(),
        phases=progress.phases,
        roofline=_roofline(trainer, recipe),
        peak_rss_mib=peak,
    )
    listener.on_finish(trainer.moment(), report)
    result = report.to_mapping()
    save_artifact(
        folder.model,
        model=model,
        model_name=recipe.model_name,
        model_config=recipe.model,
        schema=dataset.schema,
        vocab_folder=dataset.vocab_folder,
        metrics={name: result[name] for name in ("validation", "test")},
        correction=trainer.correction,
        overwrite=True,
    )
    with atomic_file(folder.result) as partial:
        write_json(partial, result)
    return report


def _roofline(trainer: Trainer, recipe: Recipe) -> Roofline | None:
    """Return how near training came to what the machine can do; None where that says nothing."""
    progress, facts = trainer.learner.progress, recipe.model.facts()
    if progress.phases.total < LEAST_SECONDS or _compiled.load() is None:
        return None
    tables = {table.name: row_bytes(table.format, table.width) for table in recipe.model.tables}
    widest = max(tables[feature.table] for feature in recipe.model.features())
    return roofline(
        progress.phases,
        facts,
        measure_ceilings(widest),
        samples=progress.samples,
        steps=progress.step,
        weights=sum(parameter.numel() for parameter in trainer.learner.dense_parameters()),
    )


def _judge(trainer: Trainer, dataset: Dataset, split: str, interrupt: Interrupt) -> Evaluation | None:
    """Return the metrics on a whole split, None when it is empty."""
    config = trainer.config.validation
    loader = Loader(dataset, split, LoaderConfig(batch_size=config.batch_size))
    if not loader.rows:
        return None
    return evaluate(
        trainer.learner.model,
        loader,
        at=(config.at,),
        correction=trainer.correction,
        on_batch=lambda rows: interrupt.check(),
    )
