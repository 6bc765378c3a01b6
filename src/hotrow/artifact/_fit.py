"""Checks that an artifact's parts fit together: schema, configuration, description and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from hotrow.artifact._tensors import DTYPES, dtype_name, read_tensors
from hotrow.artifact.manifest import MANIFEST, Manifest
from hotrow.data.schema import Schema
from hotrow.errors import ArtifactError, SchemaMismatchError
from hotrow.kernels.row_formats import storage_dtype
from hotrow.models import ModelConfig
from hotrow.types import Inputs

Tensors = Mapping[str, Mapping[str, Tensor]]
"""Tensors by file name and by their own name."""


def require_schema_fits(folder: Path, schema: Schema, config: ModelConfig) -> None:
    """Check that the model takes what the schema encodes.

    Raises:
        SchemaMismatchError: names the first feature that differs.
    """
    place, given, taken = folder / MANIFEST, schema.inputs(), config.inputs()
    if taken.num_dense != given.num_dense:
        raise SchemaMismatchError(
            f"{place}: the model takes {taken.num_dense} dense features, the schema has {given.num_dense}"
        )
    if taken.names != given.names:
        raise SchemaMismatchError(
            f"{place}: the model has tables {', '.join(taken.names)}, "
            f"the schema has categorical features {', '.join(given.names)}"
        )
    for name, held, encoded in zip(given.names, taken.rows, given.rows, strict=True):
        if held != encoded:
            raise SchemaMismatchError(
                f"{place}: table {name} has {held} rows, the schema encodes it to {encoded}"
            )
    if taken.lists != given.lists:
        raise SchemaMismatchError(
            f"{place}: the model takes the list features {_listed(taken)}, the schema has {_listed(given)}"
        )
    for task in taken.tasks:
        if task not in given.tasks:
            raise SchemaMismatchError(
                f"{place}: the model learns {task}, the schema has the labels {', '.join(given.tasks)}"
            )


def _listed(inputs: Inputs) -> str:
    return ", ".join(f"{f.name} ({f.kind} of {f.table}, {f.rows} rows)" for f in inputs.lists) or "none"


def map_tensors(folder: Path, manifest: Manifest, names: Iterable[str]) -> Tensors:
    """Map the tensor files and check that they hold exactly what the manifest lists.

    Args:
        folder: the artifact.
        manifest: its description.
        names: the files that it has.

    Raises:
        ArtifactError: names the file and the tensor.
    """
    files = sorted({entry.file for entry in manifest.entries()})
    for file in files:
        if file not in names:
            raise ArtifactError(f"{folder / file}: missing; copy or write the artifact again")
    tensors = {file: read_tensors(folder / file) for file in files}
    listed = {(entry.file, entry.name): entry for entry in manifest.entries()}
    for file, name in sorted({(file, name) for file, held in tensors.items() for name in held} - set(listed)):
        raise ArtifactError(f"{folder / file}: tensor {name} is not listed in {MANIFEST}")
    for (file, name), entry in listed.items():
        tensor = tensors[file].get(name)
        if tensor is None:
            raise ArtifactError(f"{folder / file}: tensor {name} is missing")
        if tensor.dtype != DTYPES[entry.dtype] or tuple(tensor.shape) != entry.shape:
            raise ArtifactError(
                f"{folder / file}: tensor {name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"{MANIFEST} says {DTYPES[entry.dtype]} {entry.shape}"
            )
    return tensors


def table_weights(
    folder: Path, manifest: Manifest, config: ModelConfig, tensors: Tensors
) -> dict[str, Tensor]:
    """Return the tables' weights by name: those that the model's configuration asks for.

    Raises:
        ArtifactError: a table is missing, or has another type or shape.
    """
    entries = {entry.name: entry for entry in manifest.tables}
    for table in config.tables:
        entry = entries.get(table.name)
        if entry is None:
            raise ArtifactError(f"{folder / MANIFEST}: tables: table {table.name} is missing")
        if (entry.format, entry.rows, entry.width) != (table.format, table.rows, table.width):
            raise ArtifactError(
                f"{folder / MANIFEST}: table {table.name} is {entry.format} {(entry.rows, entry.width)}, "
                f"the model's configuration needs {table.format} {(table.rows, table.width)}"
            )
        if DTYPES[entry.dtype] != storage_dtype(entry.format):
            raise ArtifactError(
                f"{folder / MANIFEST}: table {table.name} is {entry.format} in a tensor of {entry.dtype}, "
                f"expected {dtype_name(storage_dtype(entry.format))}"
            )
    for name in sorted(set(entries) - {table.name for table in config.tables}):
        raise ArtifactError(f"{folder / MANIFEST}: tables: the model has no table {name}")
    return {name: tensors[entry.file][name] for name, entry in entries.items()}


def network_tensors(
    folder: Path, manifest: Manifest, config: ModelConfig, tensors: Tensors
) -> dict[str, Tensor]:
    """Return the networks' tensors by name.

    A configuration of more weights than the file holds is refused here, before a model of its size
    is built.

    Raises:
        ArtifactError: the artifact holds too few weights.
    """
    given = {entry.name: tensors[entry.file][entry.name] for entry in manifest.dense}
    needed = config.network_facts()[0]
    held = sum(tensor.numel() for tensor in given.values())
    if needed > held:
        raise ArtifactError(
            f"{folder / MANIFEST}: model.config: its networks have {needed} weights, the artifact has {held}"
        )
    return given


def require_networks_fit(folder: Path, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check names and shapes of the networks' tensors against the built model's.

    Raises:
        ArtifactError: names the first tensor that is missing, unknown or of another shape.
    """
    place = f"{folder / MANIFEST}: dense: tensor"
    for name in sorted({*expected, *given}):
        if name not in given or name not in expected:
            raise ArtifactError(f"{place} {name} is {'missing' if name in expected else 'unknown'}")
        found, needed = given[name], expected[name]
        if (found.shape, found.dtype) != (needed.shape, needed.dtype):
            raise ArtifactError(
                f"{place} {name} is {found.dtype} {tuple(found.shape)}, "
                f"the model's configuration needs {needed.dtype} {tuple(needed.shape)}"
            )
