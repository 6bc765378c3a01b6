"""From raw rows to the model's own scores, through an artifact on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tests.conformance.batches import make_batch
from tests.conformance.building import logits_of
from tests.conformance.cases import Case

from hotrow.artifact import load_artifact, save_artifact
from hotrow.data.raw import MISSING_KEY, RawBlock, RawList
from hotrow.data.schema import MISSING_ID, RESERVED_IDS, CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.models import RankingModel, model_name
from hotrow.types import Batch, Inputs


def schema_of(inputs: Inputs) -> Schema:
    """Return a schema that has these inputs."""
    return Schema(
        format="criteo",
        label=inputs.tasks[0],
        more_labels=inputs.tasks[1:],
        dense=tuple(DenseFeature(name=f"d{n}", transform="identity") for n in range(inputs.num_dense)),
        categorical=tuple(
            CategoricalFeature(name=name, rows=rows, key_type="integer")
            for name, rows in zip(inputs.names, inputs.rows, strict=True)
        ),
        lists=tuple(
            ListFeature(
                name=feature.name,
                kind=feature.kind,
                rows=feature.rows,
                of="" if feature.has_own_table else feature.table,
                mean_length=feature.length,
                pooling=feature.pooling,
            )
            for feature in inputs.lists
        ),
    )


def write_vocabularies(folder: Path, inputs: Inputs) -> None:
    """Write vocabularies in which key k is row k."""
    folder.mkdir()
    tables = dict(zip(inputs.names, inputs.rows, strict=True))
    tables |= {feature.table: feature.rows for feature in inputs.lists}
    for name, rows in tables.items():
        keys = np.arange(RESERVED_IDS, rows, dtype=np.uint64)
        Vocabulary(keys, np.ones(keys.size, dtype=np.int64)).save(vocabulary_path(folder, name))


def raw_keys(ids: torch.Tensor) -> NDArray[np.uint64]:
    """Return keys that are encoded to these ids."""
    keys = ids.numpy().astype(np.uint64)
    return np.where(keys == MISSING_ID, MISSING_KEY, keys)


def raw_block(batch: Batch) -> RawBlock:
    """Return raw rows that are encoded to a batch."""
    lists: tuple[RawList, ...] = ()
    if batch.lists is not None:
        keys, offsets = raw_keys(batch.lists.ids), batch.lists.offsets.numpy()
        starts, lengths = (x.reshape(-1, len(batch)) for x in (offsets[:-1], np.diff(offsets)))
        lists = tuple(RawList(keys, *of_feature) for of_feature in zip(starts, lengths, strict=True))
    return RawBlock(batch.dense.double().numpy(), raw_keys(batch.ids).T, None, lists=lists)


def test_artifact_scores_with_the_models_bits(case: Case, fitted: RankingModel, tmp_path: Path) -> None:
    write_vocabularies(tmp_path / "vocab", case.inputs)
    save_artifact(
        tmp_path / "model",
        model=fitted,
        model_name=model_name(case.preset),
        model_config=case.config,
        schema=schema_of(case.inputs),
        vocab_folder=tmp_path / "vocab",
        metrics={},
    )
    artifact = load_artifact(tmp_path / "model")
    batch = make_batch(case.inputs, 37)
    expected = torch.sigmoid(logits_of(fitted, batch))
    got = torch.from_numpy(artifact.score_tasks(raw_block(batch)))
    assert artifact.config == case.config
    assert torch.equal(got, expected.reshape(len(batch), -1))
