"""Artifacts of presets at paper size with random weights: speed does not depend on what they have learnt."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hotrow.artifact import save_artifact
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.embedding import EmbeddingTables
from hotrow.models import build_model, model_name, paper_inputs, preset
from hotrow.types import Inputs, ListInput


def write_random(name: str, folder: Path) -> None:
    """Write the artifact of a preset with its initial weights, its ids hashed.

    Args:
        name: of the preset.
        folder: the artifact to write.
    """
    inputs = paper_inputs(name)
    config = preset(name, inputs)
    embeddings = EmbeddingTables(config.tables, features=config.features(), optimizer=None)
    with tempfile.TemporaryDirectory() as vocabularies:
        save_artifact(
            folder,
            model=build_model(name, config, embeddings),
            model_name=model_name(name),
            model_config=config,
            schema=schema_of(inputs),
            vocab_folder=Path(vocabularies),
            metrics={},
        )


def schema_of(inputs: Inputs) -> Schema:
    """Return a schema of hashed ids that has these inputs."""
    return Schema(
        format="random",
        label=inputs.tasks[0],
        more_labels=inputs.tasks[1:],
        dense=tuple(DenseFeature(name=f"I{at + 1}", transform="identity") for at in range(inputs.num_dense)),
        categorical=tuple(
            CategoricalFeature(name=name, rows=rows, encoding="hash", key_type="integer")
            for name, rows in zip(inputs.names, inputs.rows, strict=True)
        ),
        lists=tuple(map(_listed, inputs.lists)),
    )


def _listed(feature: ListInput) -> ListFeature:
    return ListFeature(
        name=feature.name,
        kind=feature.kind,
        rows=feature.rows,
        of="" if feature.has_own_table else feature.table,
        encoding="hash",
        key_type="integer",
        max_length=max(feature.length, 1),
        mean_length=float(feature.length),
        pooling=feature.pooling,
    )
