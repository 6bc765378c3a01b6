"""The rows that a run learns from and is judged by."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from hotrow.data.dataset import Dataset
from hotrow.data.downsampling import KeptRows, keep_negatives
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.sampling import NegativeSampling
from hotrow.models import Correction
from hotrow.train.correction import correction_of
from hotrow.train.recipe import Recipe

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Loaders:
    """What a run reads.

    Attributes:
        training: of the training split, shuffled.
        validation: of the validation split; None where it has no rows.
        correction: what makes the probabilities learnt from ``training`` those of the data.
    """

    training: Loader
    validation: Loader | None
    correction: Correction


def make_loaders(dataset: Dataset, recipe: Recipe) -> Loaders:
    """Return the loaders of a recipe.

    Raises:
        ConfigError: negatives cannot be drawn, or left out, as the recipe says.
        DataError: a shard is missing or cut short.
    """
    config, tasks = recipe.train, recipe.model.tasks
    kept = _kept_rows(dataset, recipe)
    training = Loader(
        dataset,
        "train",
        LoaderConfig(batch_size=config.batch_size, shuffle=True, seed=config.seed),
        selection=None if kept is None else kept.rows,
        expansion=NegativeSampling(dataset, config.sampling, seed=config.seed)
        if config.sampling.negatives
        else None,
    )
    if config.batch_size > training.rows:
        place = f"batch_size {config.batch_size:,} is more than the {training.rows:,} rows to train on"
        _log.warning("%s: every epoch is one step", place)
    validation = Loader(
        dataset,
        "valid",
        LoaderConfig(batch_size=config.validation.batch_size, max_rows=config.validation.max_rows),
    )
    return Loaders(
        training=training,
        validation=validation if validation.rows else None,
        correction=correction_of(config.label_weights, len(tasks), 1.0 if kept is None else kept.share),
    )


def _kept_rows(dataset: Dataset, recipe: Recipe) -> KeptRows | None:
    share = recipe.train.sampling.keep_negatives
    if share == 1:
        return None
    kept = keep_negatives(dataset, share, label=recipe.model.tasks[0], seed=recipe.train.seed)
    _log.info("learning from %d of %d negatives", kept.kept, kept.negatives)
    return kept
