"""Starting a run with what a finished one has learnt, on data with the same features and other ids.

A table's rows go by id: an id of both vocabularies keeps its weights and its optimizer's states, whatever its
row is now. New ids have rows that are freshly initialised, and those of ids that are gone are left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotrow.artifact.manifest import MANIFEST, VOCAB_FOLDER, read_manifest
from hotrow.config import to_mapping
from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.errors import CheckpointError, ConfigError, MissingFileError, SchemaMismatchError, UserError
from hotrow.files import sha256_file
from hotrow.kernels.embedding_bag import STATES
from hotrow.kernels.id_index import IdIndex
from hotrow.models.base import LINEAR
from hotrow.train._tensors import read_tensor, read_tensors
from hotrow.train.checkpoint import CHECKSUMS, EMBEDDINGS, load_networks, verify_checkpoint
from hotrow.train.loop import Learner
from hotrow.train.optimizers import load_optimizer_tensors
from hotrow.train.origin import IdCounts, Origin
from hotrow.train.recipe import Recipe
from hotrow.train.run_folder import RunFolder, first_difference
from hotrow.train.store import CheckpointStore

_MEANING = ("encoding", "key_type", "kind", "of", "weighted", "pooling", "transform", "missing")
"""What features must have in common for weights to mean the same; neither ids, nor how they were counted."""


@dataclass(frozen=True, eq=False)
class RowMap:
    """Which rows of a new table are which of an old one.

    Attributes:
        new: (R,) int64 rows of the new table.
        old: (R,) int64 their rows in the old one.
        ids: how many ids that are.
    """

    new: Tensor
    old: Tensor
    ids: IdCounts


def map_rows(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> RowMap:
    """Match the rows of two vocabularies; the reserved ones stay.

    Args:
        old: (K,) keys, whose rows begin after the reserved ones.
        new: (J,) likewise.
    """
    positions = IdIndex(old).lookup(new)
    known = np.flatnonzero(positions >= 0)
    reserved = np.arange(RESERVED_IDS)
    return RowMap(
        torch.from_numpy(np.concatenate([reserved, known + RESERVED_IDS])),
        torch.from_numpy(np.concatenate([reserved, positions[known].astype(np.int64) + RESERVED_IDS])),
        IdCounts(kept=len(known), new=len(new) - len(known), gone=len(old) - len(known)),
    )


def grown_recipe(source: Path, dataset: Dataset) -> Recipe:
    """Return the recipe of a run for a data set with the same features, with as many rows as that has ids.

    Raises:
        UserError: the run is not finished, or a file of it cannot be used.
        SchemaMismatchError: the data set has other features.
    """
    recipe = RunFolder(source).read_recipe()
    _require_same_features(_schema_of(source), dataset, source)
    inputs = dataset.schema.inputs()
    rows = {feature.name: feature.rows for feature in dataset.schema.owners}
    tables = [replace(table, rows=rows[table.name.removeprefix(LINEAR)]) for table in recipe.model.tables]
    return replace(recipe, model=replace(recipe.model, tables=tuple(tables), lists=inputs.lists))


class WarmStart:
    """What a run takes over from a finished one; nothing is changed before :meth:`apply`.

    Args:
        source: folder of the finished run.
        recipe: of the new run.
        dataset: of the new run.

    Attributes:
        origin: what is told of it.

    Raises:
        UserError: the run is not finished, or a file of it cannot be used.
        MissingFileError: its checkpoint is not there, as of a run that was shrunk.
        SchemaMismatchError: the data set has other features.
        ConfigError: the recipe's model has other sizes.
    """

    def __init__(self, source: Path, recipe: Recipe, dataset: Dataset) -> None:
        _require_same_sizes(grown_recipe(source, dataset), recipe, source)
        folder, schema = RunFolder(source), _schema_of(source)
        old, step = folder.read_recipe(), folder.read_report().best_step
        self._checkpoint = CheckpointStore(folder.checkpoints, old.train.checkpoints).path(step)
        if not self._checkpoint.is_dir():
            raise MissingFileError(self._checkpoint, f"the checkpoint of what {source} exported")
        verify_checkpoint(self._checkpoint)
        self._recipe = recipe
        self._maps = {
            feature.name: _map_of(feature, schema, source, dataset) for feature in dataset.schema.owners
        }
        self.origin = Origin(
            run=str(source.absolute()),
            step=step,
            checkpoint=sha256_file(self._checkpoint / CHECKSUMS),
            ids={name: rows.ids for name, rows in self._maps.items()},
            tables_state=old.train.tables.kind == recipe.train.tables.kind,
            dense_state=old.train.dense.kind == recipe.train.dense.kind,
        )

    def apply(self, learner: Learner) -> None:
        """Give a learner at its first step the weights and states.

        Raises:
            CheckpointError: a tensor is not of this model: its sizes were changed.
        """
        load_networks(self._checkpoint, learner.model)
        if self.origin.dense_state:
            tensors = read_tensors(self._checkpoint / "optimizer.safetensors")
            load_optimizer_tensors(learner.optimizer, learner.model.dense_parameters(), tensors)
        state = learner.model.state_dict()
        kinds = STATES[self._recipe.train.tables.kind] if self.origin.tables_state else ()
        for table in self._recipe.model.tables:
            rows = self._maps[table.name.removeprefix(LINEAR)]
            for kind in ("weight", *kinds):
                self._take_rows(f"{EMBEDDINGS}tables.{table.name}.{kind}", rows, state)
        if self.origin.tables_state:
            state[f"{EMBEDDINGS}step"].copy_(self._read(f"{EMBEDDINGS}step"))

    def _take_rows(self, name: str, rows: RowMap, state: Mapping[str, Tensor]) -> None:
        mine, theirs = state[name], self._read(name)
        if (mine.dtype, mine.shape[1:]) != (theirs.dtype, theirs.shape[1:]):
            raise CheckpointError(
                f"{self._checkpoint}: tensor {name} is {theirs.dtype} {tuple(theirs.shape)}, "
                f"this model's {mine.dtype} {tuple(mine.shape)}; leave its sizes as they were"
            )
        mine.index_copy_(0, rows.new, theirs.index_select(0, rows.old))

    def _read(self, name: str) -> Tensor:
        return read_tensor(self._checkpoint / "tables.safetensors", name)


def _schema_of(source: Path) -> Schema:
    folder = RunFolder(source)
    if not folder.is_finished:
        raise UserError(f"{source}: not finished; go on with it (--resume) before another run starts from it")
    return Schema.from_mapping(read_manifest(folder.model).schema, where=f"{folder.model / MANIFEST}: schema")


def _require_same_features(schema: Schema, dataset: Dataset, source: Path) -> None:
    """Check that features and what they mean are the same; ids and their numbers may differ."""
    here = dataset.path / SCHEMA_FILE
    if schema.columns != dataset.schema.columns:
        mine, theirs = ", ".join(dataset.schema.columns), ", ".join(schema.columns)
        raise SchemaMismatchError(f"{here}: features {mine}, {source} has {theirs}")
    for new, old in zip(_features(dataset.schema), _features(schema), strict=True):
        for field in _MEANING:
            is_, was = getattr(new, field, None), getattr(old, field, None)
            if is_ != was:
                raise SchemaMismatchError(
                    f"{here}: feature {new.name}: {field} {is_!r}, {source} has {was!r}"
                )


def _features(schema: Schema) -> list[DenseFeature | CategoricalFeature | ListFeature]:
    return [*schema.dense, *schema.categorical, *schema.lists]


def _require_same_sizes(grown: Recipe, recipe: Recipe, source: Path) -> None:
    """Check that the model is the one that the run had, but for its tables' rows."""
    difference = first_difference(_sizes(grown), _sizes(recipe), "model")
    if difference is not None:
        field, old, new = difference
        raise ConfigError(field, new, f"{old!r}, as {source} has, whose weights are to be taken over")


def _sizes(recipe: Recipe) -> dict[str, Any]:
    tables = {table.name: f"{table.width} columns of {table.format}" for table in recipe.model.tables}
    settings = {"preset": recipe.preset, **to_mapping(recipe.model)}
    return {name: value for name, value in settings.items() if name != "lists"} | {"tables": tables}


def _map_of(
    feature: CategoricalFeature | ListFeature, schema: Schema, source: Path, dataset: Dataset
) -> RowMap:
    old = next(each for each in schema.owners if each.name == feature.name)
    if feature.encoding == "hash":
        if feature.rows != old.rows:
            here, moved = dataset.path / SCHEMA_FILE, "hashed ids move with the number of rows"
            raise SchemaMismatchError(
                f"{here}: feature {feature.name} has {feature.rows} rows, {source} has {old.rows}; {moved}"
            )
        rows = torch.arange(feature.rows)
        return RowMap(rows, rows, IdCounts(kept=feature.rows - RESERVED_IDS, new=0, gone=0))
    vocabularies = [
        Vocabulary.load(vocabulary_path(folder, feature.name))
        for folder in (RunFolder(source).model / VOCAB_FOLDER, dataset.vocab_folder)
    ]
    for vocabulary, each, place in zip(vocabularies, (old, feature), (source, dataset.path), strict=True):
        if vocabulary.rows != each.rows or each.vocabulary not in ("", vocabulary.digest()):
            raise SchemaMismatchError(f"{place}: the vocabulary of {feature.name} is not that of its schema")
    return map_rows(vocabularies[0].keys, vocabularies[1].keys)
