"""A loaded artifact otherwise: with other tables, other numbers, or layers as they were trained."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from hotrow.artifact._load import build_network
from hotrow.artifact._networks import pack_networks
from hotrow.artifact.artifact import Artifact
from hotrow.embedding import EmbeddingTables
from hotrow.kernels.row_formats import RowFormat
from hotrow.layers.inference import Networks
from hotrow.models import RankingModel

_LOG = logging.getLogger(__name__)


def replace_tables(
    artifact: Artifact, formats: Mapping[str, RowFormat], weights: Mapping[str, Tensor]
) -> Artifact:
    """Return an artifact whose model looks up other tables; the networks are the same.

    Args:
        artifact: the model; it stays as it is.
        formats: by table, the format of its new rows; tables not named keep theirs.
        weights: by table, all of them: (E, D), or (E, bytes of a row) uint8.

    Raises:
        ValueError: a weight is missing or not what its format says.
    """
    config = artifact.config.with_formats(formats)
    embeddings = EmbeddingTables.from_weights(config.tables, weights, features=config.features())
    model = build_network(artifact.path, artifact.name, config, embeddings, artifact.weights)
    return replace(artifact, config=config, model=pack_networks(artifact.path, model, artifact.networks))


def replace_networks(artifact: Artifact, networks: Networks) -> Artifact:
    """Return an artifact whose networks are computed in other numbers; the tables are the same.

    Raises:
        ArtifactError: a layer that is to be int8 holds numbers that are not finite.
        BackendUnavailableError: the networks cannot be computed so on this processor.
    """
    model = pack_networks(artifact.path, unpacked_model(artifact), networks)
    return replace(artifact, model=model, networks=networks)


def on_device(artifact: Artifact, device: str) -> Artifact:
    """Return an artifact whose model is on another device: its tables, and its networks as they were trained.

    The networks are in float32 there, and not the layers that the CPU has. Scores differ from the CPU's in
    last bits; those of bf16 or int8 networks by what fewer bits had changed, which is logged.

    Args:
        artifact: on the CPU; it stays as it is.
        device: e.g. ``"cuda"``; it must have room for all tables.
    """
    if artifact.networks.precision != "fp32":
        _LOG.warning(
            "%s: on %s the networks are computed in fp32, on the CPU in %s; their scores differ",
            artifact.path,
            device,
            artifact.networks.precision,
        )
    state = artifact.model.embeddings.state_dict()
    weights = {
        table.name: state[f"tables.{table.name}.weight"].to(device) for table in artifact.config.tables
    }
    embeddings = EmbeddingTables.from_weights(
        artifact.config.tables, weights, features=artifact.config.features()
    )
    model = build_network(artifact.path, artifact.name, artifact.config, embeddings, artifact.weights)
    return replace(artifact, model=model.to(device).eval(), device=device)


def unpacked_model(artifact: Artifact) -> RankingModel:
    """Return the model with the layers that it was trained with, around the artifact's own tables.

    It can be saved, and moved to another device; on a CPU, scores differ from the artifact's in last bits.
    """
    embeddings = artifact.model.embeddings
    return build_network(artifact.path, artifact.name, artifact.config, embeddings, artifact.weights)
