"""A loaded artifact with its tables stored otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from hotrow.artifact._load import build_served_model
from hotrow.artifact.artifact import Artifact
from hotrow.artifact.manifest import EMBEDDINGS
from hotrow.embedding import EmbeddingTables
from hotrow.kernels.row_formats import RowFormat


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
    networks = {
        name: tensor
        for name, tensor in artifact.model.state_dict().items()
        if not name.startswith(EMBEDDINGS)
    }
    embeddings = EmbeddingTables.from_weights(config.tables, weights, features=config.features())
    model = build_served_model(artifact.path, artifact.name, config, embeddings, networks)
    return replace(artifact, config=config, model=model)
