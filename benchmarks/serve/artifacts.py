"""Artifacts of presets at paper size with random weights: speed does not depend on what they have learnt."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from hotrow.artifact import save_artifact
from hotrow.data.jagged import to_jagged
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.embedding import EmbeddingTables
from hotrow.layers.inference import Networks
from hotrow.layers.inference.calibration import observe, quantization
from hotrow.layers.inference.quantizable import layers_to_quantize
from hotrow.load import SyntheticRows
from hotrow.models import RankingModel, build_model, model_name, paper_inputs, preset
from hotrow.types import Batch, Inputs, ListInput

_CALIBRATED = (4, 256)
"""Batches and rows of each, of made-up ids, that int8 networks are calibrated on."""


def inputs_of(name: str, most_rows: int | None = None) -> Inputs:
    """Return a preset's inputs as published, tables cut to ``most_rows`` rows."""
    inputs = paper_inputs(name)
    if most_rows is None:
        return inputs
    rows = tuple(min(count, most_rows) for count in inputs.rows)
    lists = tuple(replace(feature, rows=min(feature.rows, most_rows)) for feature in inputs.lists)
    return replace(inputs, rows=rows, lists=lists)


def write_random(name: str, folder: Path, *, most_rows: int | None = None, int8: bool = False) -> None:
    """Write the artifact of a preset with its initial weights, its ids hashed.

    Args:
        name: of the preset.
        folder: the artifact to write.
        most_rows: larger tables are cut to so many rows; None: none is.
        int8: compute the networks in int8.
    """
    inputs = inputs_of(name, most_rows)
    config = preset(name, inputs)
    embeddings = EmbeddingTables(config.tables, features=config.features(), optimizer=None)
    model = build_model(name, config, embeddings).eval()
    schema = schema_of(inputs)
    with tempfile.TemporaryDirectory() as vocabularies:
        save_artifact(
            folder,
            model=model,
            model_name=model_name(name),
            model_config=config,
            schema=schema,
            vocab_folder=Path(vocabularies),
            metrics={},
            networks=_calibrated(model, schema) if int8 else None,
        )


def _calibrated(model: RankingModel, schema: Schema) -> Networks:
    seen = observe(model, layers_to_quantize(model), lambda: _batches(schema))
    return Networks(
        precision="int8", inputs={name: quantization(inputs, "largest") for name, inputs in seen.items()}
    )


def _batches(schema: Schema) -> Iterator[Batch]:
    source = SyntheticRows(schema, seed=0)
    count, rows = _CALIBRATED
    for number in range(count):
        block = source.content(number, rows)
        lists = to_jagged([block.lists]) if block.lists else None
        yield Batch(torch.tensor(block.dense), torch.tensor(block.ids), lists=lists)


def schema_of(inputs: Inputs) -> Schema:
    """Return a schema of hashed ids that has these inputs."""
    return Schema(
        format="movielens",  # its reader takes rows of any schema
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
