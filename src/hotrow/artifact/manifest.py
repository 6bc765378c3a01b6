"""``model.json``: what an artifact holds, in plain JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotrow.artifact._checksums import is_safe_name
from hotrow.artifact._json import read_object
from hotrow.artifact._tensors import DTYPES
from hotrow.config import from_mapping, to_mapping
from hotrow.errors import ArtifactError, ConfigError
from hotrow.files import write_json
from hotrow.kernels.row_formats import RowFormat, storage_shape
from hotrow.layers.inference import Networks
from hotrow.models import Correction

FORMAT_VERSION = 4
READABLE_VERSIONS = (1, 2, 3, 4)
"""Version 1 had no row formats: its tables are fp32. Version 2 had no ``networks``: they are fp32. Version 3
had no ``correction``: there is none."""

MANIFEST = "model.json"
DENSE_FILE = "dense.safetensors"
TABLES_FILE = "tables.safetensors"
VOCAB_FOLDER = "vocab"

EMBEDDINGS = "embeddings."
"""What the names of the injected tables start with in a model's state."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """Which model this is: its registered name and its configuration."""

    name: str
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TensorEntry:
    """One tensor of the networks.

    Attributes:
        name: name in the model's state.
        file: safetensors file, relative to the artifact.
        dtype: safetensors name of the element type.
        shape: sizes of its dimensions.
    """

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """One embedding table.

    Attributes:
        name: the categorical feature it belongs to.
        file: safetensors file, relative to the artifact.
        dtype: safetensors name of the element type.
        rows: E.
        width: D.
        format: how a row is stored.
    """

    name: str
    file: str
    dtype: str
    rows: int
    width: int
    format: RowFormat = "fp32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its tensor's dimensions: (E, D), or (E, bytes of a row) of a quantised table."""
        return storage_shape(self.format, self.rows, self.width)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of ``model.json``.

    Attributes:
        format_version: raised when the layout changes so that older code cannot read it.
        hotrow_version: version of hotrow that wrote it.
        model: name and configuration.
        schema: features and how raw values are encoded, see :class:`hotrow.data.schema.Schema`.
        dense: tensors of the networks.
        tables: embedding tables.
        metrics: what was measured of the model when it was written, for people to read.
        networks: in which numbers the networks are computed. Their tensors are float32 in any case: packing
            them, when they are loaded, makes other numbers of them.
        correction: what makes the probabilities of its logits those of the data.
    """

    format_version: int
    hotrow_version: str
    model: ModelEntry
    schema: dict[str, Any]
    dense: tuple[TensorEntry, ...]
    tables: tuple[TableEntry, ...]
    metrics: dict[str, Any]
    networks: Networks = field(default_factory=Networks)
    correction: Correction = field(default_factory=Correction)

    def entries(self) -> list[TensorEntry | TableEntry]:
        """Return all tensors, those of the networks first."""
        return [*self.dense, *self.tables]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``model.json``."""
    write_json(folder / MANIFEST, to_mapping(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read ``model.json`` and check what can be checked without the tensors.

    Raises:
        ArtifactError: names the field, what was found and what was expected.
    """
    path = folder / MANIFEST
    mapping = read_object(path)
    version = mapping.get("format_version")
    if version not in READABLE_VERSIONS:
        readable = ", ".join(map(str, READABLE_VERSIONS))
        raise ArtifactError(
            f"{path}: format_version {version!r}, this version of hotrow reads {readable}; "
            "write the artifact again or install the hotrow that wrote it"
        )
    try:
        manifest = from_mapping(Manifest, mapping, where=f"{path}: ")
    except ConfigError as error:
        raise ArtifactError(str(error)) from error
    for entry in manifest.entries():
        if not is_safe_name(entry.file):
            raise ArtifactError(f"{path}: {entry.name}: refused the file name {entry.file!r}")
        if entry.dtype not in DTYPES:
            raise ArtifactError(
                f"{path}: {entry.name}: element type {entry.dtype!r}, expected one of {', '.join(DTYPES)}"
            )
    return manifest
