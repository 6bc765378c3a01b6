"""Writing an artifact."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hotrow.artifact._checksums import write_checksums
from hotrow.artifact._tensors import dtype_name, write_tensors
from hotrow.artifact.manifest import (
    DENSE_FILE,
    EMBEDDINGS,
    FORMAT_VERSION,
    TABLES_FILE,
    VOCAB_FOLDER,
    Manifest,
    ModelEntry,
    TableEntry,
    TensorEntry,
    write_manifest,
)
from hotrow.config import to_mapping
from hotrow.data.schema import Schema
from hotrow.errors import MissingFileError
from hotrow.files import atomic_folder
from hotrow.kernels.row_formats import storage_dtype, storage_shape
from hotrow.layers.inference import Networks
from hotrow.models import Correction, ModelConfig, RankingModel
from hotrow.version import hotrow_version


def save_artifact(
    folder: Path,
    *,
    model: RankingModel,
    model_name: str,
    model_config: ModelConfig,
    schema: Schema,
    vocab_folder: Path,
    metrics: Mapping[str, Any],
    networks: Networks | None = None,
    correction: Correction | None = None,
    overwrite: bool = False,
) -> None:
    """Write a trained model as a folder that ranks raw rows on its own; it is complete or absent.

    Args:
        folder: the artifact to write.
        model: the trained model, on any device; its tables are stored in the formats they have.
        model_name: the model's registered name.
        model_config: its configuration.
        schema: of the data set that it was trained on.
        vocab_folder: that data set's vocabularies, copied into the artifact.
        metrics: what was measured of it, as plain JSON types; NaN and infinities become null.
        networks: in which numbers its networks are computed when it is loaded; None for float32.
        correction: what makes the probabilities of its logits those of the data; None for nothing.
        overwrite: replace an artifact that is there.

    Raises:
        ValueError: a table is not as the configuration says, or the networks are packed for inference.
        OutputExistsError: ``folder`` holds something and ``overwrite`` is false.
        MissingFileError: there is no ``vocab_folder``.
        StorageError: the disk is full or refuses to be written.
    """
    if not vocab_folder.is_dir():
        raise MissingFileError(vocab_folder, "the vocabularies of a prepared data set")
    dense, tables = _split_state(model, model_config)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        hotrow_version=hotrow_version(),
        model=ModelEntry(name=model_name, config=to_mapping(model_config)),
        schema=schema.to_mapping(),
        dense=tuple(
            TensorEntry(name=name, file=DENSE_FILE, dtype=dtype_name(tensor.dtype), shape=tuple(tensor.shape))
            for name, tensor in dense.items()
        ),
        tables=tuple(
            TableEntry(
                name=table.name,
                file=TABLES_FILE,
                dtype=dtype_name(storage_dtype(table.format)),
                rows=table.rows,
                width=table.width,
                format=table.format,
            )
            for table in model_config.tables
        ),
        metrics=_finite(metrics),
        networks=networks or Networks(),
        correction=correction or Correction(),
    )
    with atomic_folder(folder, overwrite=overwrite) as partial:
        write_tensors(partial / DENSE_FILE, dense)
        write_tensors(partial / TABLES_FILE, _aligned(tables))
        (partial / VOCAB_FOLDER).mkdir()
        for file in sorted(vocab_folder.glob("*.arrow")):
            shutil.copyfile(file, partial / VOCAB_FOLDER / file.name)
        write_manifest(partial, manifest)
        write_checksums(partial)


def _split_state(model: RankingModel, config: ModelConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the networks' tensors and the tables' weights; optimizer state is left out."""
    state = model.state_dict()
    dense = {name: _plain(tensor) for name, tensor in state.items() if not name.startswith(EMBEDDINGS)}
    if config.network_facts()[0] > sum(tensor.numel() for tensor in dense.values()):
        raise ValueError("the model's networks are packed for inference: save unpacked_model(artifact)")
    tables = {table.name: state[f"{EMBEDDINGS}tables.{table.name}.weight"].cpu() for table in config.tables}
    for table in config.tables:
        found = tables[table.name].dtype, tuple(tables[table.name].shape)
        expected = storage_dtype(table.format), storage_shape(table.format, table.rows, table.width)
        if found != expected:
            raise ValueError(f"table {table.name}: got {found}, its configuration says {expected}")
    return dense, tables


def _aligned(tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tables in an order in which each starts at a multiple of its rows' power of two.

    The values of a file follow one another without gaps; the greatest powers of two come first.
    """

    def power_of_two(name: str) -> int:
        size = tables[name].shape[1] * tables[name].element_size()
        return size & -size

    return {name: tables[name] for name in sorted(tables, key=power_of_two, reverse=True)}


def _plain(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU, float32 if it holds real numbers."""
    return tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else torch.int64)


def _finite(value: Any) -> Any:
    """Return JSON types without the numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
