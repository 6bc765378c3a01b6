"""Reading an artifact: nothing in it is trusted before it was checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from hotrow.artifact._checksums import CHECKSUMS, content_digest, verify_files
from hotrow.artifact._fit import (
    map_tensors,
    network_tensors,
    require_networks_fit,
    require_schema_fits,
    table_weights,
)
from hotrow.artifact._networks import pack_networks
from hotrow.artifact.artifact import Artifact
from hotrow.artifact.manifest import EMBEDDINGS, MANIFEST, VOCAB_FOLDER, Manifest, read_manifest
from hotrow.config import from_mapping
from hotrow.data.encoder import Encoder
from hotrow.data.schema import Schema
from hotrow.embedding import EmbeddingTables
from hotrow.errors import ArtifactError, ConfigError, DataError, MissingFileError, SchemaMismatchError
from hotrow.models import Correction, ModelConfig, RankingModel, build_model, config_type

FOLDER_IN_RUN = "model"


def find_artifact(path: str | Path) -> Path:
    """Return the artifact's folder, given it or the run that it belongs to.

    Raises:
        MissingFileError: ``path`` is neither.
    """
    folder = Path(path)
    for candidate in (folder, folder / FOLDER_IN_RUN):
        if (candidate / MANIFEST).exists() or (candidate / CHECKSUMS).exists():
            return candidate
    raise MissingFileError(folder / FOLDER_IN_RUN / MANIFEST, "a model written by `hotrow train`")


def load_artifact(path: str | Path, *, verify: bool = True) -> Artifact:
    """Load a model for ranking. Its tables stay in their file, mapped into memory; its networks are packed.

    Args:
        path: an artifact, or a run that holds one.
        verify: compare every file's SHA-256; sizes are compared in any case.

    Raises:
        MissingFileError: there is no artifact.
        ArtifactError: it was cut short or altered, or its parts do not fit together.
        SchemaMismatchError: its schema describes other features than its model takes.
        BackendUnavailableError: its networks cannot be computed on this processor.
    """
    folder = find_artifact(path)
    names = verify_files(folder, hashes=verify)
    if MANIFEST not in names:
        raise ArtifactError(f"{folder / MANIFEST}: missing; copy or write the artifact again")
    manifest = read_manifest(folder)
    try:
        schema = Schema.from_mapping(manifest.schema, where="schema")
        config = _model_config(manifest)
    except ConfigError as error:
        raise ArtifactError(f"{folder / MANIFEST}: {error}") from error
    require_schema_fits(folder, schema, config)
    tensors = map_tensors(folder, manifest, names)
    weights = network_tensors(folder, manifest, config, tensors)
    embeddings = EmbeddingTables.from_weights(
        config.tables, table_weights(folder, manifest, config, tensors), features=config.features()
    )
    model = build_network(folder, manifest.model.name, config, embeddings, weights)
    return Artifact(
        path=folder,
        name=manifest.model.name,
        config=config,
        model=pack_networks(folder, model, manifest.networks),
        weights=weights,
        networks=manifest.networks,
        schema=schema,
        encoder=_load_encoder(folder, schema, names),
        metrics=manifest.metrics,
        version=content_digest(folder)[:12],
        correction=_correction(folder, manifest, config),
    )


def _model_config(manifest: Manifest) -> ModelConfig:
    try:
        cls = config_type(manifest.model.name)
    except ConfigError as error:
        raise ConfigError("model.name", manifest.model.name, "a model of this version of hotrow") from error
    return from_mapping(cls, manifest.model.config, where="model.config")


def _correction(folder: Path, manifest: Manifest, config: ModelConfig) -> Correction:
    if len(manifest.correction.odds) not in (0, len(config.tasks)):
        raise ArtifactError(
            f"{folder / MANIFEST}: correction.odds: {len(manifest.correction.odds)} numbers, "
            f"expected one for each of the tasks {', '.join(config.tasks)}, or none"
        )
    return manifest.correction


def build_network(
    folder: Path,
    name: str,
    config: ModelConfig,
    embeddings: EmbeddingTables,
    weights: Mapping[str, Tensor],
) -> RankingModel:
    """Build the model around its tables and fill its networks; layers are those of training."""
    model = build_model(name, config, embeddings)
    state = {key: tensor for key, tensor in model.state_dict().items() if not key.startswith(EMBEDDINGS)}
    require_networks_fit(folder, weights, state)
    with torch.no_grad():
        for key, tensor in state.items():
            tensor.copy_(weights[key])
    model.requires_grad_(requires_grad=False)
    return model.eval()


def _load_encoder(folder: Path, schema: Schema, names: Collection[str]) -> Encoder:
    """Load the vocabularies, all from among the checked files."""
    for vocabulary in schema.vocabulary_names():
        name = f"{VOCAB_FOLDER}/{vocabulary}.arrow"
        if name not in names:
            raise ArtifactError(f"{folder / name}: missing; copy or write the artifact again")
    try:
        return Encoder.load(folder / VOCAB_FOLDER, schema)
    except (DataError, ConfigError, MissingFileError) as error:
        raise ArtifactError(str(error)) from error
    except SchemaMismatchError as error:
        raise SchemaMismatchError(f"{folder / VOCAB_FOLDER}: {error}") from error
    except ValueError as error:  # an index refuses keys that occur twice
        raise ArtifactError(f"{folder / VOCAB_FOLDER}: not usable as vocabularies ({error})") from error
